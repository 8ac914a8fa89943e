"""The exact arithmetic: labels by float64 distances in a fixed order of summation, and sums of integers.

- `distances`: `squared_distance`, the one function that decides a label
- `grid`: the integers that stand for the values of points
- `totals`: exact sums over all points
- `limbs`: sums wider than 64 bits
- `weighing`: weights as whole numbers
- `weighted`: an engine for points with weights; another engine labels them
- `parts`: points in parts, and the sums of all parts
- `held`: the labels and sums that an engine keeps of a run
"""
