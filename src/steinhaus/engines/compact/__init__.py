"""The compact engine, for few features or few points: all distances in float64, sixteen points at a time.

`points.CompactPoints` is the contract; `lanes` holds the points, sixteen side by side, feature by feature. Seeding and
many iterations run in one compiled call. Boxes of near points leave most centroids out, without any slack.
"""
