"""Products with one byte per feature: the listed candidates and lanes, for any number of candidates."""

from __future__ import annotations

import numpy as np
import pytest

from steinhaus.engines.dense.factors import TILE
from steinhaus.engines.dense.records import Scratch, scratch_of
from steinhaus.engines.dense.seeding_screen import Packed, list_open, packed_of
from steinhaus.engines.dense.slices import Tile
from steinhaus.jit.annotations import Array, f32, i64
from steinhaus.jit.build import kernel
from steinhaus.jit.handed import Handed
from steinhaus.jit.target import BYTE_LANES
from steinhaus.jit.tiles import begin_tiles, end_tiles
from steinhaus.jit.types import u32


@kernel
def listed(packed: Packed, thresholds: Array[f32], scratch: Scratch, m: i64, number: i64, ascending: i64) -> i64:
    begin_tiles()
    for c in range(m):
        scratch.others[c] = c if ascending != 0 else m - 1 - c
        scratch.kept[c] = 0xFFFFFFF7
    tile = Tile(number, TILE * number, u32(0xFFFFFFFF), f32(0.0))
    many = list_open(packed, thresholds, tile, scratch.others, m, scratch)
    end_tiles()
    return many


@pytest.mark.skipif(not BYTE_LANES, reason="bytes are not multiplied on this processor")
@pytest.mark.parametrize("m", [*range(1, 26), 50, 100])
@pytest.mark.parametrize("width", [48, 64, 192])
@pytest.mark.parametrize("ascending", [False, True])  # rows that follow each other are read in place by AMX
def test_candidates_are_listed_with_the_lanes_whose_thresholds_they_reach(m, width, ascending, rng):
    """Thresholds lie between the bounds; lane 3 is not asked about."""
    tiles, n = 6, 6 * TILE
    packed = packed_of(m, tiles, width)
    packed.quads[:] = rng.integers(0, 256, packed.quads.shape)
    packed.limbs[:, :width] = rng.integers(-127, 128, (m, width))
    for part in (packed.scale, packed.half, packed.slopes, packed.floor, packed.sizes):
        part[:] = rng.integers(1, 9, part.shape)
    x = packed.quads.reshape(tiles, 2, width // 4, 16, 4).transpose(0, 1, 3, 2, 4).reshape(n, width).astype(np.int64)
    above = x @ packed.limbs[:, :width].T.astype(np.int64) * packed.scale - packed.half
    above += packed.sizes.transpose(0, 2, 1).reshape(n, 3) @ packed.slopes.T + packed.floor
    thresholds = np.sort(above, axis=1)[:, m // 2].astype(np.float32)  # every number here is exact
    scratch = scratch_of(m, width, False)
    for number in range(tiles):
        many = listed(Handed(packed), thresholds, Handed(scratch), m, number, ascending)
        found = {int(scratch.others[o]): int(scratch.kept[o]) for o in range(many)}
        reached = above[TILE * number :][:TILE] >= thresholds[TILE * number :][:TILE, np.newaxis]
        lanes = {c: sum(1 << lane for lane in range(TILE) if reached[lane, c] and lane != 3) for c in range(m)}
        assert found == {c: bits for c, bits in lanes.items() if bits}
        assert list(found) == [c for c in (range(m) if ascending else range(m - 1, -1, -1)) if lanes[c]]
