"""The published study as a script with scikit-learn, for comparison with `steinhaus study mnist`.

The same 42,000 training images, the same starts, scikit-learn's Lloyd in float32, one run after the other; majority
labels, accuracy on train and test, the table, a PNG of the mean images for each K. It writes no report and no files of
runs.

`python scripted_study.py OUT [TRAIN]`: prints the table, and writes OUT/table.json and OUT/means-K.png. TRAIN is the
number of training images instead of 42,000.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.cluster import KMeans

from steinhaus import open_images
from steinhaus.seeding import Stream

mpl.use("Agg")
import matplotlib.pyplot as plt


def main(out: Path, train_part: float | int = 0.6) -> None:
    """Run it."""
    out.mkdir(parents=True, exist_ok=True)
    split = open_images("mnist").split(train=train_part, seed=0)
    train, test = (part.rows.astype(np.float32) / 255 for part in (split.train, split.test))
    table = []
    for k in (5, 7, 10, 12):
        fits = []
        for restart in range(5):
            start = train[Stream(0, k, restart).distinct(k, len(train))]
            fits.append(KMeans(k, init=start, n_init=1, max_iter=300, tol=0).fit(train))
            table.append(
                {"k": k, "restart": restart, "inertia": float(fits[-1].inertia_), "iterations": fits[-1].n_iter_}
            )
        best = min(fits, key=lambda fit: fit.inertia_)
        counts = np.zeros((k, 10), int)
        np.add.at(counts, (best.labels_, split.train.labels), 1)
        digit = counts.argmax(axis=1)
        accuracy = np.mean(digit[best.labels_] == split.train.labels)
        accuracy_test = np.mean(digit[best.predict(test)] == split.test.labels)
        print(
            f"K = {k:2}  inertia {best.inertia_:.3f}  train {accuracy:.4f}  test {accuracy_test:.4f}  {digit.tolist()}"
        )
        figure, axes = plt.subplots(1, k, figsize=(1.2 * k, 1.5))
        for axis, mean, name, size in zip(axes, best.cluster_centers_, digit, counts.sum(axis=1), strict=True):
            axis.imshow(mean.reshape(28, 28), cmap="gray")
            axis.set_title(f"{name} ({size})", fontsize=7)
            axis.axis("off")
        figure.savefig(out / f"means-{k}.png", dpi=150)
        plt.close(figure)
    (out / "table.json").write_text(json.dumps(table))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
