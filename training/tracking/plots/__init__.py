"""The matplotlib door: what a training shows of itself, as figures.

Every function takes arrays of the test period (one entry per row: `truth` 0/1 or money, predictions alike) or what was
found, and a title, and returns a Figure that belongs to nobody: no pyplot, no global state. The model is blue and
solid, the named baseline orange and dashed, references grey and dotted; the colours are Okabe and Ito's, which the
colour-blind tell apart. Intervals hold 90 %. Where there is nothing to see the figure says why.
"""
