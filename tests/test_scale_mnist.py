"""MNIST in memory, files, stores, on workers, in chunks of any size: the same digests."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra `dask`")
zarr = pytest.importorskip("zarr", reason="needs the extra `zarr`")
pa = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")

import dask.array as da  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from dask_cases import cluster, outcomes  # noqa: E402
from steinhaus.engines import choose  # noqa: E402
from steinhaus.engines.cluster.points import DaskPoints, spread  # noqa: E402
from steinhaus.images import open_images  # noqa: E402
from steinhaus.points import Run  # noqa: E402
from steinhaus.seeding import Stream, starts  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("STEINHAUS_DATA"), reason="STEINHAUS_DATA names no folder with MNIST"),
]


def digest(points):
    """Of labels, centroids, histories and inertias of two runs; the engine is closed."""
    runs = [Run(k, starts(points, k, "random", Stream(0, k, 0))) for k in (5, 12)]
    found = outcomes(points, runs, max_iter=12)
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


@pytest.fixture(scope="module")
def pixels():
    return open_images("mnist").pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pixels):
    folder = tmp_path_factory.mktemp("mnist")
    np.save(folder / "x.npy", pixels)
    for chunk in (1000, 4096):
        store = zarr.create_array(
            folder / f"{chunk}.zarr", shape=pixels.shape, chunks=(chunk, 28, 28), dtype="uint8",
            config={"write_empty_chunks": True},
        )  # fmt: skip
        store[:] = pixels
    lists = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), 784)
    pq.write_table(pa.table({"image": lists}), folder / "x.parquet", row_group_size=4096)
    return folder


@pytest.fixture(scope="module")
def expected(pixels):
    return digest(choose(pixels.reshape(len(pixels), -1)))


@pytest.mark.parametrize("name", ["x.npy", "1000.zarr", "4096.zarr", "x.parquet"])
@pytest.mark.parametrize("memory", [20_000_000, 2_000_000_000])
def test_from_disk(folder, expected, name, memory):
    assert digest(choose(open_images(folder / name, stored=True).rows, memory=memory)) == expected


def test_memory_mapped(folder, expected):
    assert digest(choose(open_images(folder / "x.npy", mmap=True).rows)) == expected


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_on_workers(folder, pixels, expected, workers):
    x = da.from_zarr(str(folder / "1000.zarr")).reshape(len(pixels), -1)
    with cluster(workers) as client:
        for chunks in (1000, 4096, (1, 30_000, 9_999, 30_000)):
            assert digest(DaskPoints(x.rechunk((chunks, 784)), client=client)) == expected
        for name in ("x.npy", "4096.zarr", "x.parquet"):
            assert digest(spread(open_images(folder / name, stored=True).rows, client)) == expected
