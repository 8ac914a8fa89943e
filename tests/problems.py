"""Random problems for the engines: easy ones, and hard ones that break other k-means code."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

DTYPES = (np.uint8, np.float32, np.float64)  # the kernels are compiled for each, which takes seconds
ROOMY = 2**30  # bytes for screens: `choose` screens points then, however small the problem is
ALL_DTYPES = (*DTYPES, np.int16, np.int64)


@st.composite
def problems(draw, dtypes=DTYPES):
    """Points and starting centroids: ties, duplicates, constant and zero columns, offsets, scales, one cluster a
    point.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 150))
    d = draw(st.sampled_from([1, 2, 3, 15, 16, 17, 40, 130, 230]))
    k = draw(st.integers(1, min(n, 14)))
    dtype = draw(st.sampled_from(dtypes))
    kind = draw(st.sampled_from(["noise", "clusters", "few values", "duplicates", "constant", "sparse", "line"]))
    x = rng.random((n, d))
    if kind == "clusters":
        x = rng.random((k, d))[rng.integers(k, size=n)] + 1e-3 * x
    elif kind == "few values":
        x = rng.integers(0, 3, (n, d)) / 2.0
    elif kind == "duplicates":
        x = x[rng.integers(max(1, n // 4), size=n)]
    elif kind == "constant":
        x[:, rng.random(d) < 0.5] = 0.25
    elif kind == "sparse":
        x[rng.random((n, d)) < 0.8] = 0.0
    elif kind == "line":
        x = np.linspace(0, 1, n)[:, np.newaxis] * np.ones(d)
    if np.dtype(dtype).kind == "f":
        x = x * draw(st.sampled_from([1.0, 1e-30, 1e30, 255.0])) + draw(st.sampled_from([0.0, 1e4, -3.0]))
    else:
        x = np.rint(x * draw(st.sampled_from([1, 2, 120])))
    x = np.ascontiguousarray(x.astype(dtype))
    start = x[rng.choice(n, k, replace=False)].astype(np.float64)
    if draw(st.booleans()):
        start = start + rng.normal(size=start.shape) * (x.astype(np.float64).std() + 1e-300)
    return x, start
