"""The screened engine, for arrays in memory: most distances are never computed.

`points.MemoryPoints` is the contract. A pass (`labelling.assign`) goes through tiles of 32 points near to each other,
and for every run through four phases:

1. select candidates by gaps that are kept from pass to pass (`candidates`);
2. screen them by the leading directions and from anchors (`candidates`);
3. certify lanes, or compute products of all features (`certifying`, `products`);
4. settle open lanes by `exact.distances.squared_distance`, and move points whose label changed (`certifying`).

Before a pass, `centroids` works out the bounds of the centroids. `survey` is what is learnt of points before the first
pass, `directions` takes leading directions and puts near points into tiles, `state` is what is remembered of runs,
`policy` chooses how they are screened. `lanes` alone reads points. `seeding` is greedy k-means++ on the same tiles,
`predict` labels alone. Every slack is derived in `engines.bounds`.
"""
