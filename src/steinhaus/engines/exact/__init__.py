"""The arithmetic that decides: labels by float64 distances in a fixed order, sums of integers.

`distances.squared_distance` is the one function that decides a label. `grid` says which integers stand for the values
of points, `totals` sums them once, `limbs` holds sums wider than 64 bits, `weighing` makes weights whole numbers.
`parts` adds up what parts of the points came to, `held` is what is remembered of a run, and `weighted` adds up points
by weights that another engine labels.
"""
