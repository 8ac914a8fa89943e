"""Measure reading and clusters for `docs/scale.md`. Run it on a quiet machine.

python benchmarks/scale.py blocks scale.zarr --memory 2GB       # reading, computing, both, peak memory
python benchmarks/scale.py workers scale.zarr                   # 1, 2 and 4 workers, three sizes
python benchmarks/scale.py overhead                             # an iteration of next to nothing, in 64 chunks
python benchmarks/scale.py mnist                                # MNIST in memory, and on 2 workers
python benchmarks/scale.py peers scale.zarr --images 200000 --iterations 20   # MiniBatchKMeans and dask-ml beside
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np

import steinhaus
from steinhaus.cli.places import Size
from steinhaus.engines import choose
from steinhaus.engines.exact.parts import Layout, grouped
from steinhaus.engines.stream.reading import Reader
from steinhaus.images.stored import StoredPixels
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream, starts

KS, RESTARTS = (5, 10), 3


def told(**found):
    """Print a line of JSON, with the load of the machine."""
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 2)}), flush=True)


def runs_of(points, ks=KS, restarts=RESTARTS):
    return [Run((k, r), starts(points, k, "random", Stream(0, k, r))) for k in ks for r in range(restarts)]


def passes(points, runs, iterations):
    """The seconds of each iteration, and the last runs."""
    seconds = []
    began = time.perf_counter()

    def watch(active):
        nonlocal began
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()

    for _ in lloyd(points, runs, max_iter=iterations, watch=watch):
        pass
    return seconds


def peak():
    """The peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Beginning:
    """The first rows of a source, on disk or, as an array, in memory."""

    def __init__(self, source, n, held=None):
        self.source, self.held = source, held
        self.shape, self.dtype = (n, source.shape[1]), source.dtype
        self.bounds = np.unique(np.minimum(source.bounds, n))

    def read(self, first, end, out=None):
        return self.source.read(first, end, out)

    def view(self, first, end):
        return self.source.view(first, end) if self.held is None else self.held[first:end]

    def pick(self, rows):
        return self.source.pick(rows) if self.held is None else self.held[rows]


def rows_of(store, images=None, *, held=False):
    """Rows of a store as points, (n, 784), read from disk or held in memory."""
    source = steinhaus.open_images(store, stored=True).pixels.source
    n = images or source.shape[0]
    return StoredPixels(Beginning(source, n, source.read(0, n) if held else None), (784,))


def blocks(arguments):
    """The same passes from disk and from memory, with the same engine and memory limit, and reading alone."""
    for what, held in (("from disk", False), ("from memory", True)):
        points = choose(rows_of(arguments.store, arguments.images, held=held), memory=arguments.memory)
        seconds = passes(points, runs_of(points), arguments.iterations)
        told(what=what, n=points.n, seconds=seconds, peak=peak(), reading=points.reading.text(), held=points.nbytes)
        points.close()
    source = rows_of(arguments.store, arguments.images).source
    reader = Reader(source, Layout(grouped(source.bounds, 2**26 // 784)))
    for _ in range(3):
        began = time.perf_counter()
        held = [part for part, _ in reader.parts()]
        told(what="reading alone", seconds=time.perf_counter() - began, blocks=len(held))
    reader.close()


@contextmanager
def cluster(workers, threads=1):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        ) as started,
        Client(started) as client,
    ):
        yield client


def workers(arguments):
    """Iterations on one thread in memory, then on workers of one thread each: rows in memory in either case."""
    from steinhaus.engines.cluster.points import spread

    for images in arguments.sizes:
        x = rows_of(arguments.store, images).source.read(0, images)
        points = choose(x, threads=1)
        told(what="memory, one thread", n=images, seconds=passes(points, runs_of(points), arguments.iterations))
        points.close()
    for count in arguments.workers:
        for images in arguments.sizes:
            with cluster(count) as client:
                points = spread(rows_of(arguments.store, images), client)
                seconds = passes(points, runs_of(points), arguments.iterations)
                told(workers=count, n=images, seconds=seconds, parts=len(points._layout))
                points.close()


def overhead(arguments):
    import dask.array as da

    from steinhaus.engines.cluster.points import DaskPoints

    x = np.random.default_rng(0).integers(0, 255, (64 * 4, 4)).astype(np.uint8)
    for count in (2, 4):
        with cluster(count) as client:
            points = DaskPoints(da.from_array(x, chunks=(4, 4)), client=client)
            run = Run(0, x[:2].astype(float))
            took = []
            for _ in range(100):
                began = time.perf_counter()
                points.assign([run])
                took.append(time.perf_counter() - began)
            told(workers=count, median=statistics.median(took[10:]), parts=len(points._layout))
            points.close()


def mnist(arguments):
    """One run, and the twenty of the published study, here and on 2 workers. Each is an engine's second, warm fit."""
    from steinhaus.engines.cluster.points import spread

    x = steinhaus.open_images("mnist").rows[: arguments.images or 60_000]
    inside = choose(x)
    with cluster(2) as client:
        points = spread(x, client)
        for ks, restarts in (((10,), 1), ((5, 7, 10, 12), 5)):
            runs = runs_of(inside, ks, restarts)
            for what, engine in (("memory", inside), ("2 workers", points)) * 2:
                began = time.perf_counter()
                took = passes(engine, runs, 300)
                told(what=what, runs=len(runs), iterations=len(took), seconds=time.perf_counter() - began)
        points.close()


def cost(rows, centres):
    """The inertia of centres in scaled pixels, computed in the same way for all peers."""
    from sklearn.metrics import pairwise_distances_argmin_min

    measured = {"metric": "euclidean", "metric_kwargs": {"squared": True}}
    return sum(
        float(
            pairwise_distances_argmin_min((stretch / np.float32(255)), centres.astype(np.float32), **measured)[1].sum()
        )
        for stretch in rows.stretches()
    )


def steinhaus_fit(rows, start, arguments):
    points = choose(rows, memory=arguments.memory)
    (fit,) = lloyd(points, [Run(0, start * 255)], max_iter=arguments.iterations)
    points.close()
    return fit.centroids / 255, fit.iterations, 0


def mini_batch_fit(rows, start, arguments):
    """Three times over the data."""
    from sklearn.cluster import MiniBatchKMeans

    mini = MiniBatchKMeans(10, init=start, n_init=1, batch_size=8192, max_iter=1, compute_labels=False)
    for _ in range(3):
        for stretch in rows.stretches():
            mini.partial_fit((stretch / np.float32(255)).astype(np.float32))
    return mini.cluster_centers_, 3, 0


def dask_ml_fit(rows, start, arguments):
    """On 2 workers. If the points fit, they stay in the workers' memory, as float32."""
    import dask.array as da
    from dask_ml.cluster import KMeans

    with cluster(2) as client:
        x = da.from_zarr(arguments.store)[: rows.shape[0]].reshape(-1, 784).astype(np.float32) / 255
        x = x.persist() if x.nbytes < 2**33 else x
        peer = KMeans(10, init=start, max_iter=arguments.iterations, tol=0).fit(x)
        return peer.cluster_centers_, peer.n_iter_, sum(client.run(peak).values())


def peers(arguments):
    """K = 10 from the same start, with reading."""
    rows = rows_of(arguments.store, arguments.images)
    start = rows.source.pick(Stream(0, 10, 0).distinct(10, rows.shape[0])) / 255
    fits = {"steinhaus": steinhaus_fit, "MiniBatchKMeans": mini_batch_fit, "dask-ml": dask_ml_fit}
    for what in arguments.who or fits:
        if what == "dask-ml" and not find_spec("dask_ml"):
            told(what=what, skipped="dask-ml is not installed")
            continue
        began = time.perf_counter()
        centres, iterations, of_workers = fits[what](rows, start, arguments)
        seconds, held = time.perf_counter() - began, of_workers or peak()
        told(what=what, seconds=seconds, iterations=iterations, peak=held, inertia=cost(rows, centres))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["blocks", "workers", "overhead", "mnist", "peers"])
    parser.add_argument("store", nargs="?")
    parser.add_argument("--memory", type=lambda text: Size().convert(text, None, None), default=2 * 10**9)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--who", type=lambda text: text.split(","), help="of steinhaus,MiniBatchKMeans,dask-ml")
    parser.add_argument("--images", type=int, help="use only the first so many images")
    parser.add_argument(
        "--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[30_000, 120_000, 480_000]
    )
    parser.add_argument("--workers", type=lambda text: [int(count) for count in text.split(",")], default=[1, 2, 4])
    arguments = parser.parse_args()
    what = {"blocks": blocks, "workers": workers, "overhead": overhead, "mnist": mnist, "peers": peers}
    what[arguments.what](arguments)


if __name__ == "__main__":
    main()
