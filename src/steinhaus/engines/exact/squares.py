"""The sum of squares of grid points, as one exact number."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from steinhaus.jit.build import kernel
from steinhaus.jit.types import Array, i32, i64
from steinhaus.points import Float64, Int64


def squares_of(parts: Int64, step: Float64) -> Fraction:
    """The sum of (step q)^2 over all features, exactly.

    parts: (6, d), the sums of a^2, 2ab and b^2 of q = a 2^24 + b, each as a high and a low limb; step: (d,) powers of
    two.
    """
    exponents = np.frexp(step)[1] - 1
    least = int(exponents.min())
    exponents -= least
    words = np.zeros(2 * int(exponents.max()) // 32 + 8, np.int64)
    add_parts(np.ascontiguousarray(parts), len(step), exponents, words, len(words))
    whole = int.from_bytes(words.astype("<u4").tobytes(), "little")
    return Fraction(whole << 2 * least) if least >= 0 else Fraction(whole, 1 << -2 * least)


@kernel
def add_parts(parts: Array[i64], d: i64, exponents: Array[i32], words: Array[i64], many: i64) -> None:
    """Add up the parts of `squares_of` times 4^exponent as one integer, in words of 32 bits, lowest first.

    parts: (6, d); exponents: (d,) at least 0; words: (many,) zeros. Less than 2^28 features, so that no word overflows.
    """
    for place in range(6):
        shift = 80 - 24 * (place // 2) - 32 * (place % 2)
        for t in range(d):
            at, value = shift + 2 * i64(exponents[t]), parts[place * d + t]
            word, bits = at // 32, at % 32
            low, high = (value & 0xFFFFFFFF) << bits, (value >> 32) << bits
            words[word] += low & 0xFFFFFFFF
            words[word + 1] += (low >> 32) + (high & 0xFFFFFFFF)
            words[word + 2] += high >> 32
    for word in range(many - 1):
        words[word + 1] += words[word] >> 32
        words[word] = words[word] & 0xFFFFFFFF
