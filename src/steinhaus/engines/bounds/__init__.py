"""The bounds: how far a cheap estimate of a score can be from the score itself. Mathematics only, on numbers of Python
and inside kernels; every slack that exactness rests on is named here, and derived where it stands.

`rounding` holds the units and what sums of products can be off by; `scores` the bounds of a centroid's score; `gaps`
those that are kept for whole tiles from pass to pass; `bytes` points of floats as bytes; `distances` what float64 makes
of the distances that decide; `doubles` the screen of the compact engine, `seeding` that of k-means++.

Notation. The frame shifts and scales: x' = (x - o) s, s a power of two (o = 0, s = 1 for pixels). z = x' rounded to
float32. m is a reference point, the mean of the points; e_j = c'_j - m, y = x' - m. The score of centroid j for a
point is

    s_j = x' . e_j - h_j,    h_j = (|c'_j|^2 - |m|^2) / 2 = m . e_j + |e_j|^2 / 2,

so that |x' - c'_j|^2 = |y|^2 - 2 s_j: the nearest centroid has the largest score, and a gap of g between scores is one
of 2 g between squared distances.
"""
