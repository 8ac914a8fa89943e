"""Products of bytes, of many rows at once by AMX and of single rows; and the permission that AMX needs."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from screening_kernels import multiply_bytes
from steinhaus.engines.dense.factors import TILE, factors_of, width_of
from steinhaus.engines.dense.tiled_products import LEAST_ROWS
from steinhaus.jit import target
from steinhaus.jit.handed import Handed

K = 70


def added(factors, quads, d, chosen, before):
    """The products in float32, (rows, 32), that are added to `before`: exact sums, rounded as the kernels do it."""
    points = quads.transpose(0, 2, 1, 3).reshape(TILE, -1)[:, :d].astype(np.int64)
    high, low = (rows[chosen, :d] @ points.T for rows in (factors.high, factors.low))  # (rows, 32)
    whole = (128.0 * high.astype(np.float32) + low.astype(np.float32).astype(np.float64)).astype(np.float32)
    return (factors.scales[chosen, np.newaxis] * whole + before).astype(np.float32)


@pytest.mark.skipif(not target.BYTE_LANES, reason="bytes are not multiplied on this processor")
@pytest.mark.parametrize("d", [3, 64, 150, 832])
@pytest.mark.parametrize("rows", [1, LEAST_ROWS - 1, LEAST_ROWS, 16, 23, 24, 50])
def test_products_of_bytes_are_exact_sums_for_any_number_of_rows(d, rows, rng):
    width = width_of(d, True)
    factors = factors_of(K, d, True)
    for rows_ in (factors.high, factors.low):
        rows_[:, :d] = rng.integers(-128, 128, (K, d))
        rows_[5, :d], rows_[6, :d] = -128, 127
    factors.scales[:] = 2.0 ** rng.integers(-10, 10, K)
    quads = rng.integers(0, 256, (2, width // 4, 16, 4)).astype(np.uint8)  # past d, too, where rows are 0
    quads[0, :, 3] = 255
    before = rng.normal(0, 1e4, (rows, TILE)).astype(np.float32)
    for chosen in (np.arange(5, 5 + rows), np.sort(rng.choice(K, rows, replace=False)), np.r_[2 : rows + 1, 68]):
        fresh, more = np.full((rows, TILE), np.nan, np.float32), before.copy()
        for out, is_fresh in ((fresh, 1), (more, 0)):
            multiply_bytes(quads, width, Handed(factors), chosen, rows, -(-d // 4), out, is_fresh)
        np.testing.assert_array_equal(fresh, added(factors, quads, d, chosen, 0.0))
        np.testing.assert_array_equal(more, added(factors, quads, d, chosen, before))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names instructions of x86")
@pytest.mark.parametrize("allowed", [True, False])
def test_tiles_are_used_only_with_permission(allowed, monkeypatch):
    monkeypatch.setenv("STEINHAUS_CPU_FEATURES", "+avx512vnni,+amx-tile,+amx-int8,-sse4a")
    monkeypatch.setattr(target, "_may_use_tiles", lambda: allowed)
    sign = "+" if allowed else "-"
    assert target.features() == ["+avx512vnni", f"{sign}amx-tile", f"{sign}amx-int8", "-sse4a"]


def test_features_without_tiles_need_no_permission(monkeypatch):
    monkeypatch.setenv("STEINHAUS_CPU_FEATURES", "+avx512vnni,+amx-tile")
    monkeypatch.setattr(target, "_may_use_tiles", lambda: pytest.fail("asked"))
    assert target.features() == ["+avx512vnni", "+amx-tile"]
