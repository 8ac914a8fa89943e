"""The dense engine, for arrays in memory. Its screens leave most distances out.

`points.MemoryPoints` implements `Points`. A pass (`labelling.assign`) goes through tiles of 32 near points. For each
tile and run it has four phases:

1. select candidates by gaps that are kept from pass to pass (`candidates`);
2. screen them by the leading directions and from anchors (`candidates`);
3. certify lanes, or compute products of all features (`certifying`, `products`);
4. settle open lanes by `exact.distances.squared_distance`, and move points whose label changed (`certifying`).

Points that are rounded to bytes, in runs that keep no gaps, are labelled by four tiles `together`. With many centroids,
they list their `neighbours`, which later passes begin from.

- `survey`: measurements of the points before the first pass
- `directions`: leading directions, and tiles of near points
- `centroids`, `preparing`: the bounds of the centroids before a pass
- `state`: the state of runs between passes
- `policy`: the choice of screens
- `lanes`: the only kernels that read points
- `seeding`: greedy k-means++ on the same tiles
- `predict`: labels of points that are not fitted

`engines.bounds` derives every slack.
"""
