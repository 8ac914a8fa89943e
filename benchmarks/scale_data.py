"""Make a large set from MNIST: its 70,000 images, shifted and with noise, as often as needed, in a Zarr store.

    python benchmarks/scale_data.py scale.zarr --images 8100000

8.1 million images are 6.4 GB. Each group of 4,096 images depends only on the seed and its number, so a smaller set is
the beginning of a larger one. A chunk of the store has 64 MB without compression, so it can be mapped as a block.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import zarr

import steinhaus
from steinhaus.seeding import Stream

STEP = 4096  # images drawn at once
CHUNK = 20 * STEP  # images per chunk of the store
SHIFT = 2  # pixels, to either side
NOISE = 24  # grey values, to either side


def drawn(pixels, number, count, seed=0):
    """Some images, (count, 28, 28) uint8: any of MNIST's, shifted, with even noise."""
    stream = Stream(seed, number)
    which = stream.integers(count, len(pixels))
    rows, columns = (stream.integers(count, 2 * SHIFT + 1) for _ in range(2))
    padded = np.zeros((count, 28 + 2 * SHIFT, 28 + 2 * SHIFT), np.int16)
    padded[:, SHIFT:-SHIFT, SHIFT:-SHIFT] = pixels[which]
    images = np.empty((count, 28, 28), np.int16)
    for row in range(2 * SHIFT + 1):
        for column in range(2 * SHIFT + 1):
            here = (rows == row) & (columns == column)
            images[here] = padded[here, row : row + 28, column : column + 28]
    noise = stream.raw(-(-images.size // 8)).view(np.uint8)[: images.size].reshape(images.shape)
    return np.clip(images + noise % (2 * NOISE + 1) - NOISE, 0, 255).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--images", type=int, default=8_100_000)
    arguments = parser.parse_args()
    n = arguments.images
    pixels = steinhaus.open_images("mnist").pixels
    store = zarr.create_array(
        arguments.store, shape=(n, 28, 28), chunks=(CHUNK, 28, 28), dtype="uint8", compressors=None, overwrite=False,
        config={"write_empty_chunks": True},
    )  # fmt: skip
    for first in range(0, n, CHUNK):
        end = min(first + CHUNK, n)
        starts = range(first, end, STEP)
        store[first:end] = np.concatenate([drawn(pixels, at // STEP, min(STEP, end - at)) for at in starts])
        print(f"\r{end:,} of {n:,} images", end="", file=sys.stderr, flush=True)
    print(f"\r{n:,} images in {arguments.store}", file=sys.stderr)


if __name__ == "__main__":
    main()
