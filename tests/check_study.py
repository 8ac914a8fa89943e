"""Check a finished study of MNIST with separate code, which shares nothing with the package.

    python tests/check_study.py STUDY_FOLDER MNIST_FOLDER

Labels are held against a float64 brute force, inertia and accuracy against plain sums and counts, and the whole against
the published table. Ends with a line for each K, or with what is wrong and exit code 1.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

# K -> smallest inertia, accuracy on train and on test, as published.
PUBLISHED = {
    5: (1824011.109, 0.4511, 0.4537),
    7: (1735097.392, 0.5083, 0.5064),
    10: (1645926.690, 0.5920, 0.5883),
    12: (1597737.486, 0.6065, 0.6035),
}
RESTARTS = 5
TRAIN, TEST = 42_000, 28_000


def check(right: bool, what: str) -> None:
    """Stop at the first thing that is wrong."""
    if not right:
        sys.exit(f"check_study: wrong: {what}")


def idx(path: Path, header: int) -> NDArray[np.uint8]:
    """The content of a gzip-compressed IDX file, without its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def mnist(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All 70,000 images, (n, 784) uint8, and labels, (n,) int64: the training files first."""
    images = [idx(folder / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784) for part in ("train", "t10k")]
    labels = [idx(folder / f"{part}-labels-idx1-ubyte.gz", 8) for part in ("train", "t10k")]
    return np.concatenate(images), np.concatenate(labels).astype(np.int64)


def tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file: 8 bytes of length, a header in JSON, then the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    dtypes = {"F64": "<f8", "I64": "<i8"}
    arrays = {}
    for name, about in header.items():
        if name != "__metadata__":
            first, end = about["data_offsets"]
            arrays[name] = np.frombuffer(data[start:][first:end], dtypes[about["dtype"]]).reshape(about["shape"])
    return arrays


def distances(x: NDArray[np.uint8], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances by the definition, sum_t (x_t - c_t)^2 in float64, (n, k); a few points at a time."""
    out = np.empty((len(x), len(centroids)))
    for first in range(0, len(x), 1000):
        rows = x[first : first + 1000].astype(np.float64)
        for j, centroid in enumerate(centroids):
            difference = rows - centroid
            out[first : first + 1000, j] = np.einsum("ij,ij->i", difference, difference)
    return out


def assignments(path: Path) -> tuple[NDArray[np.int64], int, dict[int, NDArray[np.int64]]]:
    """The index of every image in the pool, how many of them train, and K -> clusters."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    parts = [row["part"] for row in rows]
    check(parts == ["train"] * TRAIN + ["test"] * TEST, "the parts of assignments.csv")
    return (
        np.array([int(row["index"]) for row in rows]),
        parts.count("train"),
        {k: np.array([int(row[f"k{k}"]) for row in rows]) for k in PUBLISHED},
    )


def check_histories(runs: list[dict[str, Any]]) -> None:
    """20 runs, each with an inertia for every iteration that never rises."""
    keys = [(run["k"], run["restart"]) for run in runs]
    check(keys == [(k, restart) for k in PUBLISHED for restart in range(RESTARTS)], f"the runs are {keys}")
    for run in runs:
        history = np.array(run["inertia"])
        check(len(history) == run["iterations"] >= 2, f"the length of the history of {run['k']}, {run['restart']}")
        check(bool((np.diff(history) <= 0).all()), f"the history of {run['k']}, {run['restart']} rises")
        check(run["stop"] == "CONVERGED", f"{run['k']}, {run['restart']} ended by {run['stop']}")


def check_run(folder: Path, run: dict[str, Any], x: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A run's centroids give its sizes and inertia, and are the means of the points nearest to them; its labels."""
    name = f"k{run['k']:03d}-r{run['restart']:02d}"
    centroids = tensors(folder / "runs" / f"{name}.safetensors")["centroids"]
    squared = distances(x, centroids)
    labels: NDArray[np.int64] = squared.argmin(axis=1)
    check(np.bincount(labels, minlength=run["k"]).tolist() == run["sizes"], f"the sizes of {name}")
    inertia = squared[np.arange(len(x)), labels].sum() / 255**2
    check(
        abs(inertia - run["inertia"][-1]) <= 1e-9 * inertia,
        f"the inertia of {name}: {run['inertia'][-1]}, not {inertia}",
    )
    means = np.stack([x[labels == j].mean(axis=0, dtype=np.float64) for j in range(run["k"])])
    check(bool(np.allclose(centroids, means, rtol=1e-12, atol=1e-12)), f"the centroids of {name} are not its means")
    return labels


def check_names(best: dict[str, Any], clusters: NDArray[np.int64], y: NDArray[np.int64]) -> None:
    """The majority mapping of the training part, and what it is worth on both parts."""
    k = best["k"]
    mapping = np.array([np.bincount(y[:TRAIN][clusters[:TRAIN] == j], minlength=10).argmax() for j in range(k)])
    check(mapping.tolist() == best["mapping"], f"the mapping of K = {k}: {best['mapping']}, not {mapping.tolist()}")
    right = mapping[clusters] == y
    for name, part in (("train", slice(None, TRAIN)), ("test", slice(TRAIN, None))):
        said = best[name]
        check(abs(right[part].mean() - best[f"{name}_accuracy"]) < 1e-12, f"the {name} accuracy of K = {k}")
        check(abs(adjusted_rand_score(y[part], clusters[part]) - said["ari"]) < 1e-9, f"the {name} ARI of K = {k}")
        check(
            abs(normalized_mutual_info_score(y[part], clusters[part]) - said["nmi"]) < 1e-9,
            f"the {name} NMI of K = {k}",
        )


def main(folder: Path, data: Path) -> None:
    """Check everything, the cheap things first."""
    study = json.loads((folder / "study.json").read_text("utf-8"))
    check(study["schema"] == 2, "the schema")
    check((study["data"]["n_train"], study["data"]["n_test"]) == (TRAIN, TEST), "the size of the split")
    check_histories(study["runs"])
    for name in ("report.html", "figures"):
        check((folder / name).exists(), f"there is no {name}")

    x, y = mnist(data)
    index, _, clusters = assignments(folder / "assignments.csv")
    check(bool((np.sort(index) == np.arange(len(x))).all()), "the split does not hold every image once")
    x, y = x[index], y[index]

    for best in study["best"]:
        k = best["k"]
        runs = [run for run in study["runs"] if run["k"] == k]
        labels = [check_run(folder, run, x[:TRAIN]) for run in runs]
        winner = min(runs, key=lambda run: (run["inertia"][-1], run["restart"]))
        check(
            (best["restart"], best["inertia"]) == (winner["restart"], winner["inertia"][-1]), f"the best run of K = {k}"
        )
        check(bool((clusters[k][:TRAIN] == labels[best["restart"]]).all()), f"train labels of K = {k}")
        centroids = tensors(folder / "runs" / f"k{k:03d}-r{best['restart']:02d}.safetensors")["centroids"]
        check(
            bool((clusters[k][TRAIN:] == distances(x[TRAIN:], centroids).argmin(axis=1)).all()),
            f"test labels of K = {k}",
        )
        check_names(best, clusters[k], y)
        inertia, train, test = PUBLISHED[k]
        check(
            abs(best["inertia"] / inertia - 1) <= 0.003, f"K = {k}: {best['inertia']} is not within 0.3 % of {inertia}"
        )
        check(
            abs(best["train_accuracy"] - train) <= 0.02,
            f"K = {k}: accuracy {best['train_accuracy']}, published {train}",
        )
        check(abs(best["test_accuracy"] - test) <= 0.02, f"K = {k}: accuracy {best['test_accuracy']}, published {test}")
        print(
            f"K = {k:2}: inertia {best['inertia']:.3f} ({best['inertia'] / inertia - 1:+.3%}), "
            f"accuracy {best['train_accuracy']:.4f} / {best['test_accuracy']:.4f} (published {train} / {test}), "
            f"{len(runs)} runs as by brute force"
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {Path(__file__).name} STUDY_FOLDER MNIST_FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
