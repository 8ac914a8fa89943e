"""The effect of features on a study of MNIST: accuracy, agreement and seconds for pixels, pca:50 and hog.

    python benchmarks/features.py --markdown features.md
    python benchmarks/features.py --only pixels,pca:50 --k 10,12
    python benchmarks/features.py --file 100000

The study is the published one (42,000 images to train, seed 0, 5 restarts from random starts, at most 300 iterations),
with other features and other K. "making" is the time to make the features of all 70,000 images. "study" is the time of
all runs of all K, with everything that is learnt on the training part, in a temporary folder. Each is run once, so
seconds are a single measurement; accuracies are the same on every machine. "test accuracy" belongs to the best run, the
one with the smallest inertia, and "mean of all restarts" to all runs, because two kinds of features may end in
different local minima.

`--file N` compares a study of N pictures by 512 features from a .npy file with `KMeans` on the array: the same start,
the same iterations, medians of interleaved rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
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
TINY = 600  # images of a trial
D, K = 512, 20  # of the study from a file


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


def from_a_file(n: int, rounds: int) -> list[str]:
    """A study of features from a file against `KMeans` on the same array."""
    rng = np.random.default_rng(0)
    centres = 0.2 * rng.normal(size=(64, D)).astype(np.float32)  # they overlap, so runs take all their iterations
    vectors = centres[rng.integers(0, 64, n)] + rng.normal(size=(n, D)).astype(np.float32)
    pictures = rng.integers(0, 256, (n, 32, 32), dtype=np.uint8)
    start = vectors[:K].astype(np.float64)
    times: dict[str, list[float]] = {"study": [], "KMeans": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        np.save(path, vectors)

        def study(place: str) -> float:
            began = perf_counter()
            images = open_images(pictures, features=path)
            plan = Study(k=[K], restarts=1, init={K: [start]}, train=1.0, max_iter=30)
            return perf_counter() - began + _timed(lambda: plan.run(images, Path(folder) / place))

        for turn in range(rounds + 1):
            by_study = study(f"study-{turn}")
            by_kmeans = _timed(lambda: KMeans(K, init=start, n_init=1, tol=0, max_iter=30).fit(vectors))
            if turn:  # the first round compiles
                times["study"].append(by_study)
                times["KMeans"].append(by_kmeans)
    ours, theirs = (median(values) for values in times.values())
    return [
        f"{n:,} pictures by {D} features from a file, K = {K}, at most 30 iterations: the study {ours:.2f} s, `KMeans` "
        f"on the array {theirs:.2f} s, {ours / theirs:.2f} times."
    ]


def _timed(work) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(FEATURES), help="features, separated by commas")
    parser.add_argument("--k", default=",".join(map(str, KS)))
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--file", type=int, metavar="N", help="time a study of N pictures by features from a file")
    parser.add_argument("--rounds", type=int, default=5, help="of --file")
    parser.add_argument("--tiny", action="store_true", help=f"use {TINY} images, to try the script")
    parser.add_argument("--markdown", type=Path, help="the file for the table")
    given = parser.parse_args()
    about = machine(cores())
    if given.file is not None:
        lines = from_a_file(given.file, given.rounds)
    else:
        images = open_images("mnist", features=None)
        images = images.take(np.arange(TINY)) if given.tiny else images
        lines = compared(given.only.split(","), [int(k) for k in given.k.split(",")], given.restarts, images)
    text = "\n".join([*lines, "", sentence(about), ""])
    print(text)
    if given.markdown:
        given.markdown.write_text(text)


if __name__ == "__main__":
    main()
