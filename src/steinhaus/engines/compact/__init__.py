"""The compact engine, for few features or few points: all distances in float64, sixteen points at a time.

`points.CompactPoints` implements `Points`. `lanes` measures distances of tiles of sixteen points. Seeding and many
iterations run in one compiled call. Boxes around near points leave most centroids out, without any slack.
"""
