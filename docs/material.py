"""The inputs of the pages' code blocks: small, real, and made from what comes with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image, load_wine

PICTURES = 120  # of each class
EMBEDDINGS, FEATURES = 4000, 64


def make(folder: Path) -> None:
    """Put pictures, a table and arrays into this folder."""
    folder.mkdir()
    _pictures(folder / "pictures")
    _table(folder / "wine.csv")
    _embeddings(folder / "embeddings.npy")


def _pictures(folder: Path) -> None:
    """Crops of scikit-learn's two photographs, of several sizes, in a folder for each photograph."""
    rng = np.random.default_rng(0)
    for name in ("china", "flower"):
        photograph = Image.fromarray(load_sample_image(f"{name}.jpg"))
        (folder / name).mkdir(parents=True)
        for number in range(PICTURES):
            side = int(rng.integers(60, 160))
            left, top = (int(rng.integers(0, length - side)) for length in photograph.size)
            crop = photograph.crop((left, top, left + side, top + side)).resize((48, 48 + 8 * (number % 2)))
            crop.save(folder / name / f"{number}.png")


def _table(path: Path) -> None:
    """178 wines: an identity, 13 measurements and the cultivar."""
    wine = load_wine()
    names = ["id", *wine.feature_names, "class"]
    rows = [[f"w{i:03}", *x, wine.target_names[y]] for i, (x, y) in enumerate(zip(wine.data, wine.target, strict=True))]
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n", "utf-8")


def _embeddings(path: Path) -> None:
    """Unit vectors around the digits of scikit-learn, as a model would give them."""
    rng = np.random.default_rng(0)
    digits = load_digits().data
    chosen = digits[rng.integers(len(digits), size=EMBEDDINGS)] + rng.normal(scale=2, size=(EMBEDDINGS, FEATURES))
    np.save(path, (chosen / np.linalg.norm(chosen, axis=1, keepdims=True)).astype(np.float32))
