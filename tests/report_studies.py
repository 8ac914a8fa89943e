"""Studies for the report's tests, made without an engine: a few plain NumPy iterations fill the records."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steinhaus.report.data import Part, ReportData, flow
from steinhaus.study.record import Agreement, BestRecord, DataRecord, RunRecord, StudyRecord

SHA = "ab" * 32


def plain_lloyd(
    X: NDArray[np.float32], k: int, rng: np.random.Generator, max_iter: int
) -> tuple[NDArray[np.float64], list[float], str]:
    """Centroids (k, d), inertia after each iteration, and how the run ended."""
    centroids = X[rng.choice(len(X), k, replace=False)].astype(np.float64)
    total, history, stop = float(np.square(X, dtype=np.float64).sum()), [], "MAX_ITER"
    for _ in range(max_iter):
        labels = nearest(X, centroids)
        counts = np.bincount(labels, minlength=k)
        sums = np.stack([X[labels == j].sum(axis=0, dtype=np.float64) for j in range(k)])
        means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids)
        history.append(total - float((counts * np.square(means).sum(axis=1)).sum()))
        if np.array_equal(means, centroids):
            stop = "CONVERGED"
            break
        centroids = means
    return centroids, np.minimum.accumulate(history).tolist(), stop


def nearest(X: NDArray[np.float32], centroids: NDArray[np.float64]) -> NDArray[np.int32]:
    """The nearest centroid of each point."""
    c = centroids.astype(np.float32)
    return np.argmax(X @ c.T - np.square(c).sum(axis=1) / 2, axis=1).astype(np.int32)


def agreement(confusion: NDArray[np.int64], mapping: list[int | None]) -> Agreement:
    """Accuracy and purity as they are; the other scores stand in by a rough value, for they are only shown."""
    n = max(int(confusion.sum()), 1)
    right = sum(int(confusion[j, m]) for j, m in enumerate(mapping) if m is not None)
    purity = float(confusion.max(axis=1).sum()) / n
    rows = tuple(tuple(int(v) for v in row) for row in confusion)
    return Agreement(right / n, 0.9 * right / n, purity, 0.4, 0.5, 0.5, 0.52, rows)


def make(
    pixels: NDArray[np.generic],
    labels: NDArray[np.int64] | None,
    label_names: tuple[str, ...] | None,
    *,
    name: str = "made",
    ks: tuple[int, ...] = (3, 5),
    restarts: int = 3,
    train: int | None = None,
    full_scale: float = 255.0,
    max_iter: int = 40,
    files: tuple[str, ...] | None = None,
    seed: int = 0,
) -> ReportData:
    """A whole study of pixels (n, h, w), (n, h, w, c) or (n, d), the first `train` of them to train on."""
    n, shape = len(pixels), tuple(pixels.shape[1:])
    train = n * 6 // 10 if train is None else train
    X = pixels.reshape(n, -1).astype(np.float32) / np.float32(full_scale)
    n_labels = len(label_names or ())
    runs, best, centroids, run_centroids, train_clusters, test_clusters = [], [], {}, {}, {}, {}
    for k in ks:
        ended = [plain_lloyd(X[:train], k, np.random.default_rng((seed, k, r)), max_iter) for r in range(restarts)]
        for r, (c, history, stop) in enumerate(ended):
            sizes = tuple(np.bincount(nearest(X[:train], c), minlength=k).tolist())
            runs.append(RunRecord(k, r, tuple(history), history[-1], len(history), stop, sizes))
        r = int(np.argmin([h[-1] for _, h, _ in ended]))
        c = ended[r][0]
        clusters = nearest(X, c)
        centroids[k] = c.reshape(k, *shape)
        run_centroids[k] = np.stack([e[0] for e in ended]).reshape(restarts, k, *shape)
        train_clusters[k], test_clusters[k] = clusters[:train], clusters[train:]
        tables, mapping, parts = [], None, (slice(0, train), slice(train, n))
        if labels is not None:
            for part in parts:
                table = np.zeros((k, n_labels), np.int64)
                np.add.at(table, (clusters[part], labels[part]), 1)
                tables.append(table)
            mapping = [int(row.argmax()) if row.any() else None for row in tables[0]]
        scores = [agreement(t, mapping or []) for t in tables]
        sizes_train, sizes_test = (np.bincount(clusters[p], minlength=k).tolist() for p in parts)
        has_test = train < n
        best.append(
            BestRecord(
                k, r, ended[r][1][-1], tuple(sizes_train),
                scores[0].accuracy if scores else None,
                scores[1].accuracy if scores and has_test else None,
                None if mapping is None else tuple(mapping), (),
                scores[0] if scores else None,
                scores[1] if scores and has_test else None,
                tuple(sizes_test) if has_test else None,
            )
        )  # fmt: skip
    counts = [np.bincount(labels[p], minlength=n_labels).tolist() if labels is not None else None for p in parts]
    record = StudyRecord(
        1,
        {"k": list(ks), "restarts": restarts, "max_iter": max_iter, "init": "random", "tol": 0.0, "train": 0.6, "seed": seed},  # noqa: E501
        DataRecord(
            name, SHA, shape, str(pixels.dtype), full_scale, train, n - train, label_names,
            None if counts[0] is None else tuple(counts[0]), None if counts[1] is None else tuple(counts[1]),
            "CC BY-SA 3.0", "Y. LeCun, C. Cortes, C. Burges: the MNIST database",
        ),
        {"system": "Linux", "processor": "x86_64", "cores": 2},
        {"python": "3.12.1", "steinhaus": "0.1.0", "numpy": "2.4.0", "numba": "0.63.0"},
        tuple(runs), tuple(best),
    )  # fmt: skip
    index = np.arange(n)
    split = [
        Part(pixels[p], None if labels is None else labels[p], None if files is None else files[p], index[p])
        for p in parts
    ]
    return ReportData(
        record,
        centroids,
        split[0],
        split[1] if train < n else None,
        train_clusters,
        test_clusters,
        run_centroids,
        flows=[flow(train_clusters[a], train_clusters[b], a, b) for a, b in pairwise(ks)],
    )


def digits(ks: tuple[int, ...] = (5, 10), restarts: int = 3) -> ReportData:
    """The 1,797 digits that come with scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    names = tuple("0123456789")
    return make(
        bunch.images.astype(np.uint8), bunch.target.astype(np.int64), names,
        name="digits", ks=ks, restarts=restarts, full_scale=16.0,
    )  # fmt: skip


def read_idx(path: Path) -> NDArray[np.uint8]:
    """A gzip-compressed IDX file of bytes."""
    data = gzip.decompress(path.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def mnist(folder: Path, ks: tuple[int, ...] = (5, 7, 10, 12), restarts: int = 5) -> ReportData:
    """All 70,000, 42,000 of them to train on, as the published study."""
    parts = ["train", "t10k"]
    pixels = np.concatenate([read_idx(folder / "mnist" / f"{p}-images-idx3-ubyte.gz") for p in parts])
    labels = np.concatenate([read_idx(folder / "mnist" / f"{p}-labels-idx1-ubyte.gz") for p in parts]).astype(np.int64)
    order = np.random.default_rng(0).permutation(len(pixels))
    names = tuple("0123456789")
    return make(pixels[order], labels[order], names, name="mnist", ks=ks, restarts=restarts, max_iter=300, train=42_000)
