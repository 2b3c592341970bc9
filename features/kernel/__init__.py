"""The compiled pass over (customer, cutoff): the numba door.

`opcodes` numbers what can be computed, `compile` compiles, `rows` prepares the rows of a stream, `amounts`, `gaps`,
`calendar`, `sequences`, `sessions` and `diversity` walk them, `walk` holds them together in `fill`, and `attributes`
fills what needs no walk.
"""
