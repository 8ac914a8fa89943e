"""The effect of features on a study of MNIST: accuracy, agreement and seconds for pixels, pca:50 and hog.

    python benchmarks/features.py --markdown features.md
    python benchmarks/features.py --only pixels,pca:50 --k 10,12
    python benchmarks/features.py --seeds 3
    python benchmarks/features.py --file 100000

The study is the published one (42,000 images to train, seed 0, 5 restarts from random starts, at most 300 iterations),
with other features and other K. "making" is the time to make the features of all 70,000 images. "study" is the time of
all runs of all K, with everything that is learnt on the training part, in a temporary folder. Each is run once, so
seconds are a single measurement; accuracies are the same on every machine. "test accuracy" belongs to the best run, the
one with the smallest inertia, and "mean of all restarts" to all runs, because two kinds of features may end in
different local minima.

`--seeds S` shows instead how test accuracy differs between S seeds, each with a split and starts of its own.

`--file N` times studies of N pictures by 512 features from a .npy file against `KMeans` on the array, an estimator a K:
the same starts, the same iterations, medians of interleaved rounds. A study also reads the file, takes the digests of
vectors and pictures, writes its folder, and makes mean pictures and medoids.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from machine import cores, machine, sentence
from steinhaus import Images, KMeans, Study, open_images
from steinhaus.features.making import with_features
from steinhaus.report import from_result
from steinhaus.report.measures import measure

FEATURES = ("pixels", "pca:50", "hog")
KS = (10, 12, 20, 50)
HEAD = (
    "| features | values | K | train accuracy | test accuracy | mean of all restarts | ARI, test | making, s | "
    "study of all K, s |"
)
SPREAD = "| features | K | best run of each seed | all runs |"
TINY = 600  # images, to try things out
D, ITERATIONS = 512, 30  # of the study from a file


def compared(names: list[str], ks: list[int], restarts: int, images: Images) -> list[str]:
    """A table with one row per K and kind of features."""
    lines = [HEAD, "|" + " --- |" * HEAD.count(" |")]
    for name in names:
        began = perf_counter()
        made = with_features(images, name)
        making = perf_counter() - began
        with tempfile.TemporaryDirectory() as folder:
            result = Study(k=ks, restarts=restarts).run(made, Path(folder) / "study")
            study = perf_counter() - began - making
            _, scores = measure(from_result(result))
        for place, best in enumerate(result.best):
            times = (f"{making:.1f}", f"{study:.1f}") if place == 0 else ("", "")
            every = [score.test_accuracy for score in scores if score.k == best.k]
            shares = (best.train_accuracy, best.test_accuracy, np.mean(every), best.test.ari)
            cells = [name, str(result.record.data.d), str(best.k), *(f"{share:.4f}" for share in shares), *times]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return lines


def spread(names: list[str], ks: list[int], restarts: int, images: Images, seeds: int) -> list[str]:
    """How test accuracy differs between splits and starts: a row for each K and each kind of features."""
    lines = [SPREAD, "|" + " --- |" * SPREAD.count(" |")]
    for name in names:
        made = with_features(images, name)
        best: dict[int, list[float]] = {k: [] for k in ks}
        every: dict[int, list[float]] = {k: [] for k in ks}
        for seed in range(seeds):
            result = Study(k=ks, restarts=restarts, seed=seed).run(made)
            for one in result.best:
                best[one.k].append(one.test_accuracy)
            for score in measure(from_result(result))[1]:
                every[score.k].append(score.test_accuracy)
        for k in ks:
            shares = ", ".join(f"{share:.3f}" for share in best[k])
            lines.append(f"| {name} | {k} | {shares} | {min(every[k]):.3f} to {max(every[k]):.3f} |")
            print(lines[-1], flush=True)
    return lines


def from_a_file(n: int, rounds: int) -> list[str]:
    """Studies of features from a file against `KMeans` on the same array."""
    rng = np.random.default_rng(0)
    centres = 0.2 * rng.normal(size=(64, D)).astype(np.float32)  # they overlap, so runs take all their iterations
    vectors = centres[rng.integers(0, 64, n)] + rng.normal(size=(n, D)).astype(np.float32)
    pictures = rng.integers(0, 256, (n, 32, 32), dtype=np.uint8)
    shapes = {"a whole study, K = 5, 7, 10, 12, 5 restarts": (Study().ks, 5), "one run of K = 20": ((20,), 1)}
    lines = ["| | study, s | `KMeans`, s | study / `KMeans` |", "| --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        np.save(path, vectors)
        for name, (ks, restarts) in shapes.items():
            starts = {k: [vectors[rng.choice(n, k, replace=False)] for _ in range(restarts)] for k in ks}
            plan = Study(k=ks, restarts=restarts, init=starts, train=1.0, max_iter=ITERATIONS)
            few = slice(0, max(2000, n // 50))  # which compiles
            plan.run(open_images(pictures[few], features=vectors[few]), Path(folder) / f"few-{restarts}")
            times = []
            for turn in range(rounds):
                place = Path(folder) / f"study-{restarts}-{turn}"
                ours = _timed(partial(_studied, plan, pictures, path, place))
                times.append((ours, _timed(partial(_fitted, vectors, starts))))
            ours, theirs = (median(of_one) for of_one in zip(*times, strict=True))
            lines.append(f"| {name} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |")
            print(lines[-1], times, flush=True)
    return [f"{n:,} pictures by {D} features from a file, {ITERATIONS} iterations a run:", "", *lines]


def _studied(plan: Study, pictures: np.ndarray, path: Path, place: Path) -> None:
    plan.run(open_images(pictures, features=path), place)


def _fitted(vectors: np.ndarray, starts: dict[int, list[np.ndarray]]) -> None:
    """The same runs by estimators, one a K."""
    for k, of_k in starts.items():
        each = iter(of_k)
        init = partial(_next, each)
        KMeans(k, init=init, n_init=len(of_k), tol=0, max_iter=ITERATIONS).fit(vectors)


def _next(each: Iterator[np.ndarray], *_: object, **__: object) -> np.ndarray:
    """The next start, as scikit-learn asks a callable for it."""
    return next(each)


def _timed(work) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(FEATURES), help="features, separated by commas")
    parser.add_argument("--k", default=",".join(map(str, KS)))
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--seeds", type=int, metavar="S", help="compare so many splits and starts instead")
    parser.add_argument("--file", type=int, metavar="N", help="time a study of N pictures by features from a file")
    parser.add_argument("--rounds", type=int, default=3, help="of --file")
    parser.add_argument("--tiny", action="store_true", help=f"{TINY} images, to try things out")
    parser.add_argument("--markdown", type=Path, help="where to write the table")
    given = parser.parse_args()
    about = machine(cores())
    if given.file is not None:
        lines = from_a_file(given.file, given.rounds)
    else:
        images = open_images("mnist", features=None)
        images = images.take(np.arange(TINY)) if given.tiny else images
        asked = given.only.split(","), [int(k) for k in given.k.split(",")], given.restarts, images
        lines = compared(*asked) if given.seeds is None else spread(*asked, given.seeds)
    text = "\n".join([*lines, "", sentence(about), ""])
    print(text)
    if given.markdown:
        given.markdown.write_text(text)


if __name__ == "__main__":
    main()
