"""How reading and clusters scale: times that `docs/scale.md` tells of. Run it on a quiet machine.

python benchmarks/scale.py blocks scale.zarr --memory 2GB       # reading, computing, both, peak memory
python benchmarks/scale.py workers scale.zarr                   # 1, 2 and 4 workers, three sizes
python benchmarks/scale.py overhead                             # an iteration of next to nothing, in 64 chunks
python benchmarks/scale.py mnist                                # MNIST in memory, and on 2 workers
python benchmarks/scale.py peers scale.zarr --images 500000     # MiniBatchKMeans and, where it is there, dask-ml
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from contextlib import contextmanager

import numpy as np

import steinhaus
from steinhaus.cli.places import Size
from steinhaus.engines import choose
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream, starts

KS, RESTARTS = (5, 10), 3


def told(**found):
    """A line of JSON, with how busy the machine is beside."""
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 2)}), flush=True)


def runs_of(points, ks=KS, restarts=RESTARTS):
    return [Run((k, r), starts(points, k, "random", Stream(0, k, r))) for k in ks for r in range(restarts)]


def passes(points, runs, iterations):
    """Seconds of each of so many iterations, and the last runs."""
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
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rows_of(store, images):
    pixels = steinhaus.open_images(store, stored=True).pixels
    return (pixels if images is None else pixels.taken(np.arange(images))).reshape(-1, 784)


def blocks(arguments):
    rows = rows_of(arguments.store, None)
    points = choose(rows, memory=arguments.memory)
    runs = runs_of(points)
    seconds = passes(points, runs, arguments.iterations)
    told(what="both", n=points.n, seconds=seconds, peak=peak(), reading=points.reading.text(), held=points.nbytes)
    began = time.perf_counter()
    for part, x in points._blocks():
        del part, x
    told(what="reading alone", seconds=time.perf_counter() - began)
    x = rows.source.read(0, 80_000)
    inside = choose(x, memory=0)
    inside.tallies(runs)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        inside.tallies(runs)
        took.append(time.perf_counter() - began)
    told(what="computing alone", seconds=statistics.median(took) * points.n / len(x))


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
    from steinhaus.engines.dask import spread

    for count in (1, 2, 4):
        for images in arguments.sizes:
            with cluster(count) as client:
                points = spread(rows_of(arguments.store, images), client)
                seconds = passes(points, runs_of(points), arguments.iterations)
                told(workers=count, n=images, seconds=seconds, parts=len(points._layout))
                points.close()


def overhead(arguments):
    import dask.array as da

    from steinhaus.engines.dask import DaskPoints

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
    """One run, and the twenty of the published study, here and on 2 workers: each engine's second fit, all warm."""
    from steinhaus.engines.dask import spread

    x = steinhaus.open_images("mnist").rows[:60_000]
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


def peers(arguments):
    from sklearn.cluster import MiniBatchKMeans

    rows = rows_of(arguments.store, arguments.images)
    points = choose(rows, memory=arguments.memory)
    run = Run(0, starts(points, 10, "random", Stream(0, 10, 0)))
    began = time.perf_counter()
    (fit,) = lloyd(points, [run], max_iter=20)
    seconds = time.perf_counter() - began
    told(what="steinhaus", seconds=seconds, inertia=fit.inertia / 255**2, peak=peak(), iterations=20)
    points.close()
    began = time.perf_counter()
    mini = MiniBatchKMeans(10, init=run.centroids / 255, n_init=1, batch_size=8192, max_iter=1, compute_labels=False)
    for _ in range(3):
        for stretch in rows.stretches():
            mini.partial_fit((stretch / np.float32(255)).astype(np.float32))
    seconds = time.perf_counter() - began
    cost = sum(-mini.score((stretch / np.float32(255)).astype(np.float32)) for stretch in rows.stretches())
    told(what="MiniBatchKMeans, 3 times over the data", seconds=seconds, inertia=cost, peak=peak())
    try:
        import dask.array as da
        from dask_ml.cluster import KMeans
    except ImportError:
        told(what="dask-ml", note="not installed")
        return
    with cluster(2):
        x = da.from_zarr(arguments.store)[: arguments.images].reshape(-1, 784).astype(np.float32).persist() / 255
        began = time.perf_counter()
        peer = KMeans(10, init=run.centroids / 255, max_iter=20, tol=0).fit(x)
        told(what="dask-ml", seconds=time.perf_counter() - began, inertia=float(peer.inertia_), iterations=peer.n_iter_)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["blocks", "workers", "overhead", "mnist", "peers"])
    parser.add_argument("store", nargs="?")
    parser.add_argument("--memory", type=lambda text: Size().convert(text, None, None), default=2 * 10**9)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--images", type=int, default=500_000)
    parser.add_argument(
        "--sizes", type=lambda text: [int(size) for size in text.split(",")], default=[30_000, 120_000, 480_000]
    )
    arguments = parser.parse_args()
    what = {"blocks": blocks, "workers": workers, "overhead": overhead, "mnist": mnist, "peers": peers}
    what[arguments.what](arguments)


if __name__ == "__main__":
    main()
