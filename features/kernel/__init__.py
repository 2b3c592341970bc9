"""The compiled pass over (customer, cutoff): the numba door.

`figures` numbers what can be computed, `door` compiles, `rows` prepares the rows of a stream, `amounts`, `rhythm`,
`calendar`, `order` and `variety` walk them, and `walk` holds them together in `fill`.
"""
