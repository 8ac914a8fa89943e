"""Inputs that people are known to have, one of each kind, from the file to the result. Each kind has tests of its
own beside its reader; here stands that each opens, or is refused with the way out.
"""

from __future__ import annotations

import copy
import inspect
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
from sklearn.datasets import load_digits

import steinhaus
from arrow import needs_arrow, pa, pq
from pictures import digits, idx, picture, png16, write
from steinhaus import KMeans, MiniBatchKMeans, Study
from steinhaus.cli import main
from steinhaus.errors import DataError
from steinhaus.images import open_images


def png() -> bytes:
    file = io.BytesIO()
    from PIL import Image

    Image.fromarray(digits(1)[0]).save(file, "PNG")
    return file.getvalue()


def parted(images):
    rest = None if images.given_train is None else images.n - images.given_train - images.given_val
    return images.given_train, images.given_val, rest


# Folders


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("train", "val", "test"), (4, 4, 4)), (("train", "valid"), (4, 4, 0)), (("train",), (None, 0, None)),
        (("Train", "Test"), (4, 0, 4)), (("data/train", "data/test"), (4, 0, 4)),
    ],
    ids=["split-3", "split-2", "split-1", "split-capital", "split-data"],
)  # fmt: skip
def test_folders_of_a_split_are_no_labels(tmp_path, parts, sizes):
    for part in parts:
        for label in "ab":
            for number in range(2):
                picture(tmp_path / part / label / f"{number}.png", digits()[number])
    images = open_images(tmp_path)
    assert (images.label_names, parted(images)) == (("a", "b"), sizes)


@needs_arrow
@pytest.mark.parametrize("place", ["", "data/"], ids=["hub", "hub-data"])
def test_shards_of_a_hub_keep_split_and_names_of_classes(tmp_path, place):
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for part, n in (("train", 6), ("test", 4)):
        rows = pa.array(
            [{"bytes": png(), "path": None}] * n, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        )
        table = pa.table({"image": rows, "label": [row % 2 for row in range(n)]}).replace_schema_metadata(told)
        (tmp_path / place).mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / place / f"{part}-00000-of-00001.parquet")
    images = open_images(tmp_path)
    assert (images.label_names, parted(images)) == (("cat", "dog"), (6, 0, 4))


def test_tar_shards_keep_their_split(tmp_path):
    for part in ("train", "test"):
        with tarfile.open(tmp_path / f"{part}-000000.tar", "w") as tar:
            for row in range(4):
                for end, body in (("png", png()), ("cls", str(row % 2).encode())):
                    info = tarfile.TarInfo(f"{row:04d}.{end}")
                    info.size = len(body)
                    tar.addfile(info, io.BytesIO(body))
    images = open_images(tmp_path)
    assert (images.label_names, parted(images)) == (("0", "1"), (4, 0, 4))


def test_a_folder_of_tif_and_png_is_read_whole(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.tif", digits()[number])
        picture(tmp_path / f"{number}.png", digits()[number])
    assert open_images(tmp_path).n == 6


def test_links_are_refused_with_the_option_and_followed_with_it(tmp_path):
    picture(tmp_path / "blobs/1.png", digits()[0])
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot/1.png").symlink_to("../blobs/1.png")
    with pytest.raises(DataError, match="follow_links=True"):
        open_images(tmp_path / "snapshot")
    assert open_images(tmp_path / "snapshot", follow_links=True).n == 1


@pytest.mark.usefixtures("_no_figures")
def test_a_study_in_its_own_source_is_left_out_and_a_folder_of_other_files_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        picture(f"{number}.png", digits()[number])
    plan = ["--k", "2", "--restarts", "1", "--quiet"]
    assert main(["study", ".", *plan]) == main(["study", ".", *plan]) == 0
    assert open_images(".").n == 4
    assert "because they hold studies" in " ".join(capsys.readouterr().err.split())
    write("mine/report.html", b"mine")
    assert main(["study", ".", "--out", "mine", *plan]) != 0
    assert Path("mine/report.html").read_bytes() == b"mine"


# Tables


@needs_arrow
def test_the_index_of_pandas_is_left_out_and_said(tmp_path):
    frame = pd.DataFrame({"a": [0.0, 3, 1, 5], "b": [1.0, 2, 4, 8]})
    frame[frame.a != 1].to_parquet(tmp_path / "index.parquet")
    images = open_images(tmp_path / "index.parquet")
    assert images.columns == ("a", "b")
    assert "__index_level_0__ (an index)" in images.notes[0]


@needs_arrow
def test_the_column_of_vectors_is_clustered_and_not_the_id(tmp_path, rng):
    x = rng.random((6, 5))
    pq.write_table(pa.table({"id": range(6), "text": list("abcdef"), "vec": x.tolist()}), tmp_path / "x.parquet")
    images = open_images(tmp_path / "x.parquet")
    assert images.pixels.tolist() == x.tolist()
    assert images.notes == ("Left out: columns id, text (beside the column of pixels).",)


@needs_arrow
@pytest.mark.parametrize("name", ["jpg", "image"], ids=["encoded", "binary"])
def test_pictures_as_binary_are_decoded(tmp_path, name):
    pq.write_table(pa.table({name: [png()] * 4, "width": [3] * 4, "label": [0, 1, 0, 1]}), tmp_path / "x.parquet")
    images = open_images(tmp_path / "x.parquet")
    assert (images.shape, images.label_names) == ((4, 3), ("0", "1"))


@needs_arrow
@pytest.mark.parametrize("form", ["nested", "fixed", "tensor"])
def test_nested_lists_and_tensors_are_images(tmp_path, form):
    x = digits(5)
    column = {
        "nested": lambda: pa.array(x.tolist()),
        "fixed": lambda: pa.array(x.tolist(), pa.list_(pa.list_(pa.uint8(), 3), 4)),
        "tensor": lambda: pa.FixedShapeTensorArray.from_numpy_ndarray(x),
    }[form]()
    pq.write_table(pa.table({"image": column}), tmp_path / "x.parquet")
    assert open_images(tmp_path / "x.parquet").pixels.tolist() == x.tolist()


@pytest.mark.parametrize("kind", ["csv", pytest.param("parquet", marks=needs_arrow)])
def test_a_square_table_is_pictures_in_every_format(tmp_path, kind):
    frame = pd.DataFrame(digits(12).reshape(9, 16), columns=[f"pixel{place}" for place in range(16)])
    frame.insert(0, "label", [0, 1, 2] * 3)
    path = tmp_path / f"square.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path, index=False)
    assert (open_images(path).shape, open_images(path).label_names) == ((4, 4), ("0", "1", "2"))


def test_a_table_without_names_whose_last_column_alone_holds_classes(tmp_path):
    data = load_digits()
    np.savetxt(tmp_path / "optdigits.tra", np.c_[data.data, data.target], fmt="%d", delimiter=",")
    images = open_images(tmp_path / "optdigits.tra")
    assert images.labels.tolist() == data.target.tolist()
    assert 'Labels: the last column. If it holds no labels: labels="none".' in images.notes


def test_floats_without_names_have_no_label(tmp_path, rng):
    np.savetxt(tmp_path / "floats-17.csv", rng.random((50, 17)), delimiter=",")
    images = open_images(tmp_path / "floats-17.csv")
    assert (images.labels, images.shape) == (None, (17,))
    assert open_images(tmp_path / "floats-17.csv", labels=[0] * 25 + [1] * 25).label_names == ("0", "1")


def test_a_numeric_header_is_a_header(tmp_path):
    table = np.c_[digits(30, 28, 28).reshape(30, 784), np.arange(30) % 10]
    pd.DataFrame(table).to_csv(tmp_path / "x.csv", index=False)
    images = open_images(tmp_path / "x.csv")
    assert (images.n, images.shape, len(images.label_names)) == (30, (28, 28), 10)


@pytest.mark.parametrize("name", ["CustomerID", "customer_id", "idx", "", "Unnamed: 0", "ID", "Nr."])
def test_a_column_that_numbers_the_rows_is_left_out(tmp_path, name, rng):
    lines = [f"{k},{rng.integers(18, 80)},{rng.integers(1000, 90000)}" for k in range(1, 41)]
    images = open_images(write(tmp_path / "x.csv", "\n".join([f"{name},Age,Income", *lines]).encode()))
    assert images.columns == ("Age", "Income")
    assert f'Left out: column "{name}", which numbers the rows' in images.notes[0]
    assert 'scale="standard"' in images.notes[1]


# Arrays


def test_a_validation_part_of_arrays_joins_by_default(tmp_path):
    parts = {"train": 6, "val": 3, "test": 4}
    arrays = {f"{part}_images": digits(n) for part, n in parts.items()}
    np.savez(tmp_path / "x.npz", **arrays, **{f"{part}_labels": np.zeros((n, 1), int) for part, n in parts.items()})
    images = open_images(tmp_path / "x.npz")
    assert parted(images) == (6, 3, 4)
    assert (images.split().train.n, images.split(val="leave", train="given").train.n) == (9, 6)


def test_several_labels_an_image_are_refused_with_a_way_out(tmp_path):
    np.savez(tmp_path / "x.npz", images=digits(6), labels=np.ones((6, 14), int))
    with pytest.raises(DataError, match=r'14 labels per image.*labels="none"'):
        open_images(tmp_path / "x.npz")
    assert open_images(tmp_path / "x.npz", labels="none").labels is None


def test_arrays_in_capital_letters_keep_their_labels(tmp_path):
    y = np.arange(6) % 3
    np.savez(tmp_path / "x.npz", X_train=digits(6), Y_train=y, X_test=digits(4), Y_test=y[:4])
    assert (open_images(tmp_path / "x.npz").label_names, open_images(tmp_path / "x.npz").given_train) == (
        ("0", "1", "2"), 6,
    )  # fmt: skip


def test_labels_in_a_file_of_their_own(tmp_path):
    np.savez(tmp_path / "images.npz", digits(6))
    np.savez(tmp_path / "labels.npz", np.arange(6) % 2)
    for labels in (tmp_path / "labels.npz", np.arange(6) % 2):
        assert open_images(tmp_path / "images.npz", labels=labels).label_names == ("0", "1")


@pytest.mark.parametrize(
    ("end", "labels"),
    [("labels-idx2-int", np.tile(np.arange(6)[:, None], 8)), ("labels-idx1-int", np.arange(6))],
    ids=["nist", "nist-int"],
)
def test_idx_labels_of_wide_integers_and_of_several_columns(tmp_path, end, labels):
    write(tmp_path / "train-images-idx3-ubyte", idx(digits(6)))
    write(tmp_path / f"train-{end}", idx(labels.astype(np.int32)))
    images = open_images(tmp_path)
    assert images.labels.tolist() == list(range(6))
    assert any("has 8 columns; the first" in note for note in images.notes) == (labels.ndim == 2)


@pytest.mark.parametrize("place", ["train-images-idx3-ubyte", "MNIST/raw"], ids=["nested-idx", "raw-idx"])
def test_idx_files_some_folders_down_are_found(tmp_path, place):
    write(tmp_path / place / "train-images-idx3-ubyte", idx(digits(6)))
    assert open_images(tmp_path).n == open_images(tmp_path / place).n == 6


@pytest.mark.parametrize("kind", [2, 4, 6], ids=["rgb", "grey-alpha", "rgba"])
def test_sixteen_bits_are_rounded(tmp_path, kind):
    samples = [0x00FF, 0x0081, 0x7FFF, 0x8000, 0xFF00, 0xFFFF]
    wanted = [round(255 / 65535 * sample) for sample in samples]
    pixels = open_images(png16(tmp_path / "x.png", kind, samples)).pixels[0, 0]
    assert (pixels if kind == 4 else pixels[:, 0]).tolist() == wanted


def test_a_transparent_value_of_sixteen_bits_is_background(tmp_path):
    path = png16(tmp_path / "x.png", 0, [0xFF00, 0x8000], transparent=0x8000)
    assert open_images(path, background=7).pixels.ravel().tolist() == [254, 7]


@pytest.mark.usefixtures("_no_figures")
@pytest.mark.parametrize("scale", ["uint8", "255"])
def test_predict_refuses_images_on_another_scale(tmp_path, monkeypatch, capsys, scale):
    monkeypatch.chdir(tmp_path)
    x = load_digits().images[:50]
    np.save("x.npy", x.astype(np.uint8) if scale == "uint8" else (x * 255 / 16).astype(np.float32))
    assert main(["study", "digits", "--k", "2", "--restarts", "1", "--out", "it", "--quiet"]) == 0
    assert main(["predict", "it", "x.npy"]) != 0
    assert "the study's full scale is 16" in " ".join(capsys.readouterr().err.split())
    full = "16" if scale == "uint8" else "255"
    assert main(["predict", "it", "x.npy", "--full-scale", full, "--format", "csv", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 51


# Python


def test_studies_take_names_paths_and_arrays(tmp_path):
    np.save(tmp_path / "x.npy", digits(12))
    for source in ("digits", tmp_path / "x.npy", digits(12)):
        result = Study(k=[3], restarts=1, max_iter=2).run(source)
        for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
            assert again.record == result.record
            assert again.centroids(3).tobytes() == result.centroids(3).tobytes()


@pytest.mark.parametrize("init", ["random", "k-means++"])
@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_fits_where_numpy_raises_for_every_error(rng, estimator, init):
    with np.errstate(all="raise"):
        for x in (
            rng.random((50, 2)),
            digits(40, 8, 8).reshape(40, 64),
            np.zeros((20, 3)),
            1e-200 * rng.random((20, 3)),
        ):
            model = estimator(1, init=init, n_init=1, random_state=0).fit(x)
            assert model.predict(x).tolist() == [0] * len(x)


@pytest.mark.slow
def test_a_variable_of_numba_has_no_meaning():
    fit = "from steinhaus import KMeans; print(KMeans(1).fit([[1.0], [3.0]]).inertia_)"
    variables = {**os.environ, "NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": "/proc/x"}
    ended = subprocess.run([sys.executable, "-c", fit], env=variables, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("2.0\n", "")


@pytest.mark.parametrize("name", ["k_means", "kmeans_plusplus"])
def test_functions_have_scikit_learn_s_signatures(name):
    ours, theirs = (inspect.signature(getattr(place, name)).parameters for place in (steinhaus, sklearn.cluster))
    assert [(each.name, each.default, each.kind) for each in ours.values()] == [
        (each.name, each.default, each.kind) for each in theirs.values()
    ]


def test_mini_batches_have_scikit_learn_s_parameters():
    ours = inspect.signature(MiniBatchKMeans).parameters
    theirs = inspect.signature(sklearn.cluster.MiniBatchKMeans).parameters
    assert {name: each.default for name, each in theirs.items()}.items() <= {
        name: each.default for name, each in ours.items()
    }.items()


@pytest.mark.parametrize(
    ("second", "typed", "python"),
    [
        (digits(1, 5, 5)[0], "--size WIDTHxHEIGHT", "size=("), (np.zeros((4, 3, 3), np.uint8), "--mode L", 'mode="L"'),
    ],
    ids=["size", "mode"],
)  # fmt: skip
def test_errors_speak_the_language_of_where_they_are_read(tmp_path, monkeypatch, capsys, second, typed, python):
    monkeypatch.chdir(tmp_path)
    picture("x/1.png", digits()[0])
    picture("x/2.png", second)
    assert main(["data", "look", "x"]) != 0
    assert typed in " ".join(capsys.readouterr().err.split())
    with pytest.raises(DataError) as caught:
        open_images("x")
    assert python in str(caught.value)
    assert "--" not in str(caught.value)
