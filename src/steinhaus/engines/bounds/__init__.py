"""The bounds: how far a cheap estimate of a score can be from the score itself.

These modules hold mathematics only, for Python's numbers and for kernels. Every slack that exactness rests on has its
name and its derivation here.

- `rounding`: units of rounding, and the errors of sums of products
- `scores`: bounds of a centroid's score
- `gaps`: bounds for whole tiles, kept from pass to pass
- `bytes`: points of floats, rounded to bytes
- `neighbours`: lists of the centroids near each point, kept from pass to pass
- `distances`: float64's rounding of the distances that decide labels
- `doubles`: the screen of the compact engine
- `seeding`: the screen of k-means++

Notation. The frame shifts and scales a point x: x' = (x - o) s, s a power of two. For pixels, o = 0 and s = 1. z is x'
rounded to float32. m is a reference point, the mean of the points; e_j = c'_j - m and y = x' - m. The score of centroid
j for a point is

    s_j = x' . e_j - h_j,    h_j = (|c'_j|^2 - |m|^2) / 2 = m . e_j + |e_j|^2 / 2,

so that |x' - c'_j|^2 = |y|^2 - 2 s_j. The nearest centroid has the largest score. A gap of g between scores is a gap of
2 g between squared distances.
"""
