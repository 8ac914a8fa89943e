"""Features of pictures: made, read from files, found beside pictures, and files that do not fit."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import picture
from steinhaus import Features, open_images
from steinhaus.errors import DataError, StoreError
from steinhaus.features import colour, kept
from steinhaus.features.making import with_features
from steinhaus.images import Images

N, D = 12, 5
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
VECTORS = np.random.default_rng(1).normal(size=(N, D)).astype(np.float32)
NAMES = [f"{i}.png" for i in range(N)]


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures."""
    path = tmp_path_factory.mktemp("pictures")
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        picture(path / name, pixels)
    return path


def as_npy(path: Path, vectors: np.ndarray) -> Path:
    np.save(path / "v.npy", vectors)
    return path / "v.npy"


def as_npz(path: Path, vectors: np.ndarray) -> Path:
    np.savez(path / "v.npz", embeddings=vectors, other=np.zeros((2, 2)))
    return path / "v.npz"


def as_named_npz(path: Path, vectors: np.ndarray) -> Path:
    np.savez(path / "v.npz", embeddings=vectors[::-1], path=NAMES[: len(vectors)][::-1])
    return path / "v.npz"


def as_parquet(path: Path, vectors: np.ndarray) -> Path:
    pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"path": NAMES[: len(vectors)][::-1], "embedding": list(vectors[::-1])})
    pq.write_table(table, path / "v.parquet", row_group_size=5)
    return path / "v.parquet"


def as_zarr(path: Path, vectors: np.ndarray) -> Path:
    zarr = pytest.importorskip("zarr", reason="needs the extra `zarr`")
    zarr.create_array(str(path / "v.zarr"), data=vectors, chunks=(5, D))
    return path / "v.zarr"


FILES = [as_npy, as_npz, as_named_npz, as_parquet, as_zarr]


@pytest.mark.parametrize("write", FILES)
def test_vectors_of_a_file(folder: Path, tmp_path: Path, write: Callable[..., Path]) -> None:
    images = open_images(folder, features=write(tmp_path, VECTORS))
    assert np.array_equal(images.features.values, VECTORS)
    assert images.features.kind == "file"
    assert np.array_equal(images.pixels, PIXELS)


@pytest.mark.parametrize("write", FILES)
def test_a_file_of_too_few_is_refused(folder: Path, tmp_path: Path, write: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"11 rows for 12 pictures|lacks 11\.png"):
        open_images(folder, features=write(tmp_path, VECTORS[:-1]))


@pytest.mark.parametrize("write", FILES)
def test_nan_in_one_row_is_refused(folder: Path, tmp_path: Path, write: Callable[..., Path]) -> None:
    broken = VECTORS.copy()
    broken[4, 2] = np.nan
    with pytest.raises(DataError, match=r"image (4|7) has the value nan"):  # by its place in the file
        open_images(folder, features=write(tmp_path, broken))


def test_files_that_are_no_vectors_are_refused(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.zeros((N, 2, 2)))
    (tmp_path / "text.csv").write_text("a,b\n1,2\n3,4\n")
    np.savez(tmp_path / "two.npz", a=VECTORS, b=VECTORS)
    for name, words in (
        ("cube.npy", r"features are \(pictures, values\)"),
        ("text.csv", "is a csv, not a file of vectors"),
        ("two.npz", "it is not clear"),
        ("nowhere.npy", "no such file of features"),
    ):
        with pytest.raises(DataError, match=words):
            open_images(folder, features=tmp_path / name)


def test_an_array(folder: Path) -> None:
    assert np.array_equal(open_images(folder, features=VECTORS).features.values, VECTORS)
    with pytest.raises(DataError, match="9 rows for 12 pictures"):
        open_images(folder, features=VECTORS[:9])


def test_vectors_beside_pictures_in_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    import pyarrow.parquet as pq

    blobs = [{"bytes": png(each), "path": None} for each in PIXELS]
    blobs[3]["bytes"] = b"no picture"
    pq.write_table(pa.table({"image": blobs, "embedding": list(VECTORS)}), tmp_path / "s.parquet", row_group_size=5)
    images = open_images(tmp_path / "s.parquet", features="given")
    assert np.array_equal(images.features.values, np.delete(VECTORS, 3, axis=0))
    assert any("column embedding" in note for note in images.notes)


def test_vectors_beside_pictures_in_a_tar_file(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for i in range(N):
            vector = io.BytesIO()
            np.save(vector, VECTORS[i])
            for ending, data in ((".png", png(PIXELS[i])), (".npy", vector.getvalue())):
                member = tarfile.TarInfo(f"{i:03d}{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    images = open_images(tmp_path / "s.tar", features="given")
    assert np.array_equal(images.features.values, VECTORS)
    assert any(".npy beside each picture" in note for note in images.notes)


def test_vectors_beside_pictures_in_a_folder(tmp_path: Path) -> None:
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        picture(tmp_path / name, pixels)
    np.save(tmp_path / "embeddings.npy", VECTORS)
    images = open_images(tmp_path, features="given")
    assert np.array_equal(images.features.values, VECTORS)
    assert images.notes == ('Vectors lie beside the pictures: embeddings.npy. To cluster them: features="given".',)
    np.save(tmp_path / "embeddings.npy", VECTORS[1:])
    assert open_images(tmp_path).n == N, "they are read only when they are asked for"
    with pytest.raises(DataError, match="must have one row per picture"):
        open_images(tmp_path, features="given")


def test_a_source_without_vectors_has_none_to_give(folder: Path) -> None:
    with pytest.raises(DataError, match="no vectors beside its pictures"):
        open_images(folder, features="given")


def test_hog_is_scikit_images(folder: Path) -> None:
    hog = pytest.importorskip("skimage.feature", reason="needs the extra `features`").hog

    found = open_images(folder, features="hog:2").features.values
    assert found.dtype == np.float32
    true = hog(PIXELS[5] / 255, 9, (2, 2), (2, 2), "L2-Hys", channel_axis=-1)
    assert np.array_equal(found[5], true.astype(np.float32))
    with pytest.raises(DataError, match="Ask for smaller cells"):
        open_images(folder, features="hog:5")


def test_colour_is_the_mean_of_cells_in_cielab() -> None:
    rgb2lab = pytest.importorskip("skimage.color", reason="needs the extra `features`").rgb2lab
    found = colour.made(PIXELS, 255.0, 2)
    lab = rgb2lab(PIXELS / 255)
    assert found.shape == (N, 12)
    assert np.allclose(found[4, 3:6], lab[4, :4, 4:].mean(axis=(0, 1)), atol=1e-4)
    assert np.array_equal(colour.made(PIXELS[4:5], 255.0, 2)[0], found[4])
    grey = colour.made(PIXELS[..., 0], 255.0, 1)
    assert np.allclose(grey[:, 1:], 0, atol=0.05), "grey has no a* and b*"


def test_features_of_vectors_are_refused() -> None:
    rows = Images.from_arrays(VECTORS)
    for what in ("hog", "colour"):
        with pytest.raises(DataError, match="is made from pictures"):
            with_features(rows, what)


def test_pixels_alone_are_no_features() -> None:
    images = Images.from_arrays(PIXELS)
    assert with_features(images, "pixels").features is None
    assert with_features(images, "pca:3").features.steps == ("pca:3",)


# Kept, and gone on with


def counted(made: list[tuple[int, int]], stop_at: int | None = None) -> Callable[[int, int], np.ndarray]:
    """Makes rows that tell their number, and notes which."""

    def make(first: int, end: int) -> np.ndarray:
        if first == stop_at:
            raise KeyboardInterrupt
        made.append((first, end))
        return np.repeat(np.arange(first, end, dtype=np.float32)[:, None], 3, axis=1)

    return make


def test_vectors_are_made_once_and_gone_on_with(tmp_path: Path) -> None:
    made: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        kept.kept(tmp_path, {"a": 1}, 10, counted(made, stop_at=6), rows=3)
    assert made == [(0, 3), (3, 6)]
    found = kept.kept(tmp_path, {"a": 1}, 10, counted(made), rows=3)
    assert made == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert found[:, 0].tolist() == list(range(10))
    again = kept.kept(tmp_path, {"a": 1}, 10, counted(made), rows=3)
    assert np.array_equal(again, found)
    assert len(made) == 4
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npy"]
    kept.kept(tmp_path, {"a": 2}, 10, counted(made), rows=3)
    assert len(made) == 8, "another recipe is made anew"


def test_vectors_that_cannot_be_made_leave_nothing(tmp_path: Path) -> None:
    def make(first: int, end: int) -> np.ndarray:
        if first:
            raise DataError("no vector")
        return np.zeros((end - first, 3), np.float32)

    with pytest.raises(DataError, match="no vector"):
        kept.kept(tmp_path, {"a": 1}, 10, make, rows=3)
    assert not list(tmp_path.iterdir())


def test_vectors_outlive_a_kill(tmp_path: Path) -> None:
    """kill -9 in the middle of a block: nothing that was counted is made again, and the bytes are the same."""
    code = """
import os, signal, sys
from pathlib import Path
import numpy as np
from steinhaus.features import kept
def make(first, end):
    if first == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return np.repeat(np.arange(first, end, dtype=np.float32)[:, None], 3, axis=1)
kept.kept(Path(sys.argv[1]), {"a": 1}, 10, make, rows=3)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    made: list[tuple[int, int]] = []
    kept.kept(tmp_path / "killed", {"a": 1}, 10, counted(made), rows=3)
    assert made == [(6, 9), (9, 10)]
    kept.kept(tmp_path / "whole", {"a": 1}, 10, counted([]), rows=3)
    bytes_of: Any = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("killed", "whole")]
    assert {k: v for k, v in bytes_of[0].items() if k.endswith(".npy")} == {
        k: v for k, v in bytes_of[1].items() if k.endswith(".npy")
    }


def test_vectors_that_were_changed_are_refused(tmp_path: Path) -> None:
    kept.kept(tmp_path, {"a": 1}, 4, counted([]))
    path = next(tmp_path.glob("*.npy"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"is damaged or was changed\. Delete it"):
        kept.kept(tmp_path, {"a": 1}, 4, counted([]))


def test_features_of_a_folder_are_found_again(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="needs the extra `features`")
    first = open_images(folder, features="hog", features_folder=tmp_path)
    names = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    second = open_images(folder, labels="none", features=Features("hog", pca=2), features_folder=tmp_path)
    assert np.array_equal(first.features.values, second.features.values)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == names
