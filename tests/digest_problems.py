"""The problems of `test_digests`: data of many kinds, made from raw bits and from operations that IEEE 754 fixes, so
that every version of NumPy on every processor makes the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse

TYPES = ("uint8", "int16", "float32", "float64")


class Numbers:
    """Random numbers from the raw bits of PCG64, which NumPy promises to keep (NEP 19)."""

    def __init__(self, *key):
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, *shape):
        """In [0, 1), multiples of 2^-53."""
        raw = self._bits.random_raw(int(np.prod(shape)))
        return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53

    def bell(self, *shape):
        """Mean 0, variance 1, bell-shaped: twelve uniform numbers, less 6."""
        total = np.zeros(shape)
        for _ in range(12):
            total = total + self.uniform(*shape)
        return total - 6.0

    def below(self, most, *shape):
        """Whole numbers in [0, most)."""
        return np.floor(self.uniform(*shape) * most).astype(np.int64)

    def rows(self, k, n):
        """k distinct ones of n."""
        return np.argsort(self._bits.random_raw(n), kind="stable")[:k]


def _clusters(numbers, n, d, many, spread):
    centres = numbers.uniform(many, d)
    return centres[numbers.below(many, n)] + spread * numbers.bell(n, d)


def pixels(numbers, n, side):
    """Like digits: a few round spots on black, moved about and noisy; 0 at the border."""
    axis = np.arange(side) / side
    spots = 0.25 + 0.5 * numbers.uniform(10, 4, 2)
    kinds, shifts = numbers.below(10, n), 0.05 * numbers.bell(n, 2)
    out = np.zeros((n, side, side))
    for spot in range(4):
        at = spots[kinds, spot] + shifts
        across = (axis - at[:, :1]) ** 2
        down = (axis - at[:, 1:]) ** 2
        near = 1.0 - 25.0 * (across[:, np.newaxis, :] + down[:, :, np.newaxis])
        out = np.maximum(out, near)
    noisy = out * (0.8 + 0.1 * numbers.bell(n, side, side))
    return np.minimum(np.maximum(255.0 * noisy, 0.0), 255.0).reshape(n, -1)


def ties(numbers, n, d):
    """Values 0, 1, 2: many points lie as far from one centroid as from another."""
    return numbers.below(3, n, d).astype(np.float64)


def duplicates(numbers, n, d):
    some = 200.0 * numbers.uniform(n // 5, d)
    return some[numbers.below(n // 5, n)]


def constant(numbers, n, d):
    """Half of the columns hold one value."""
    x = 100.0 + 20.0 * _clusters(numbers, n, d, 9, 0.2)
    x[:, numbers.uniform(d) < 0.5] = 37.0
    return x


def unit_vectors(numbers, n, d):
    """Clustered, of length 1, times 120: embeddings, as far as they fit into bytes."""
    x = _clusters(numbers, n, d, 40, 0.25) - 0.5
    square = np.zeros(n)
    for column in x.T:
        square = square + column * column
    return 120.0 * x / np.sqrt(square)[:, np.newaxis] + 60.0


def noise(numbers, n, d):
    return 255.0 * numbers.uniform(n, d)


def blobs(numbers, n, d):
    return 40.0 + 150.0 * _clusters(numbers, n, d, 30, 0.12)


def offset(numbers, n, d):
    """Far from 0, for its spread; integers hold no more than 100 of it."""
    return 100.0 + 8.0 * _clusters(numbers, n, d, 12, 0.15)


def line(numbers, n, d):
    """Along one direction, and a little beside it."""
    return 10.0 + 200.0 * numbers.uniform(n, 1) * numbers.uniform(d) + 0.3 * numbers.bell(n, d)


def columns(numbers, n, d):
    """Scales that differ by column: 1, 1/2, ... 1/128."""
    return (120.0 + 100.0 * (_clusters(numbers, n, d, 15, 0.1) - 0.5)) * 2.0 ** -(np.arange(d) % 8)


def zeros(numbers, n, d):
    """1 in 100 values is not 0."""
    x = np.zeros((n, d))
    kinds, draws = numbers.below(20, n), max(2, d // 100)
    for _ in range(draws):
        x[np.arange(n), (kinds * 37 + numbers.below(d // 8, n)) % d] = 1.0 + numbers.below(200, n)
    return x


@dataclass(frozen=True)
class Data:
    """One set of points, and the runs over it: alone and together."""

    name: str
    kind: str  # of points, a name in KINDS
    dtype: str
    n: int
    d: int
    ks: tuple[int, ...]
    limit: int = 40  # iterations
    shift: float = 0.0  # added to points of floats
    weights: str = ""  # "", "whole" or "real"
    sparse: bool = False
    fast: bool = False  # whether it belongs to the fast tests

    def __str__(self):
        return self.name

    def points(self):
        """(n, d) of the type, dense or CSR."""
        numbers = Numbers(1, list(KINDS).index(self.kind), self.n, self.d)
        make = KINDS[self.kind]
        x = make(numbers, self.n, int(self.d**0.5)) if self.kind == "pixels" else make(numbers, self.n, self.d)
        if np.dtype(self.dtype).kind == "f":
            x = (x + self.shift).astype(self.dtype)
        else:
            x = np.minimum(np.maximum(np.rint(x), 0.0), 255.0).astype(self.dtype)
        return scipy.sparse.csr_array(x) if self.sparse else x

    def counted(self):
        """(n,) weights; None: 1 each."""
        if not self.weights:
            return None
        drawn = Numbers(2, self.n).uniform(self.n)
        return np.floor(4.0 * drawn) if self.weights == "whole" else drawn

    def starts(self):
        """The centroids that each run begins with, by K: rows, of which one in eight is moved far away (and comes out
        empty), where K is odd.
        """
        x = self.points()
        out = {}
        for k in self.ks:
            numbers = Numbers(3, self.n, self.d, k)
            rows = numbers.rows(k, self.n)
            start = (x[rows].toarray() if self.sparse else x[rows]).astype(np.float64)
            if k % 2 and k > 1:
                start[:: max(8, k // 8)] += 1000.0
            out[k] = start
        return out


KINDS: dict[str, Callable[..., np.ndarray]] = {
    "pixels": pixels, "ties": ties, "duplicates": duplicates, "constant": constant, "unit_vectors": unit_vectors,
    "noise": noise, "blobs": blobs, "offset": offset, "line": line, "columns": columns, "zeros": zeros,
}  # fmt: skip

# name, kind, n, d, ks, limit, shift, fast types
_SHAPES = (
    ("pixels", "pixels", 1500, 784, (1, 10, 37, 100), 40, 0.0, ("uint8", "float32")),
    ("small", "pixels", 3000, 64, (2, 15, 64, 200), 40, 0.0, ("uint8",)),
    ("ties", "ties", 900, 7, (3, 8, 21, 64), 30, 0.0, ("uint8", "float64")),
    ("duplicates", "duplicates", 1200, 20, (2, 17, 64, 300), 30, 0.0, ("float32",)),
    ("constant", "constant", 1000, 33, (4, 9, 30, 96), 40, 0.0, ("float64",)),
    ("unit", "unit_vectors", 4000, 128, (8, 40, 65, 128), 40, 0.0, ("float32",)),
    ("noise", "noise", 4000, 24, (5, 16, 48, 130), 60, 0.0, ("float32", "uint8")),
    ("wide_noise", "noise", 1000, 200, (2, 11, 50, 80), 30, 0.0, ()),
    ("blobs", "blobs", 6000, 64, (7, 30, 64, 256), 60, 0.0, ("float64", "float32", "uint8")),
    ("offset", "offset", 2000, 48, (3, 12, 25, 70), 40, 1e4, ("float32",)),
    ("far_offset", "offset", 800, 17, (2, 5, 12, 33), 40, 1e8, ("float64",)),
    ("line", "line", 2500, 90, (1, 6, 27, 72), 60, 0.0, ("float64",)),
    ("columns", "columns", 2000, 16, (3, 15, 32, 99), 40, 0.0, ("uint8",)),
    ("two", "blobs", 5000, 2, (2, 9, 40, 150), 60, 0.0, ("float32",)),
    ("five", "columns", 3000, 5, (1, 4, 13, 60), 60, -50.0, ("float64",)),
    ("wide", "blobs", 1200, 801, (2, 20, 33, 90), 30, 0.0, ()),
    ("zeros", "zeros", 1500, 400, (2, 10, 19, 45), 30, 0.0, ("uint8", "float32")),
    ("tiny", "noise", 40, 3, (1, 2, 7, 39), 30, 0.0, TYPES[:1] + TYPES[2:]),
)

DATA = (
    *(
        Data(f"{name}-{dtype}", kind, dtype, n, d, ks, limit, shift, fast=dtype in fast)
        for name, kind, n, d, ks, limit, shift, fast in _SHAPES
        for dtype in TYPES
    ),
    *(
        Data(f"{kind}-{dtype}-{weights}-weights", kind, dtype, 1500, 30, (3, 8, 41), 40, weights=weights, fast=fast)
        for kind, dtype, weights, fast in (
            ("blobs", "uint8", "whole", True),
            ("blobs", "float32", "real", True),
            ("offset", "float64", "real", False),
            ("ties", "float32", "whole", False),
            ("duplicates", "int16", "whole", False),
        )
    ),
    *(
        Data(f"sparse-{dtype}{weights and '-weights'}", "zeros", dtype, 1500, 400, (2, 9, 40), 30, weights=weights,
             sparse=True, fast=fast)
        for dtype, weights, fast in (
            ("float32", "", True),
            ("float64", "", False),
            ("uint8", "", False),
            ("int16", "", False),
            ("float64", "real", True),
            ("uint8", "whole", False),
        )
    ),
)  # fmt: skip
