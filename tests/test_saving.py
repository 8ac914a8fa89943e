"""Fitted estimators on disk: the same bits come back, and nothing else is accepted."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

import steinhaus
from failing import FailingOs
from steinhaus import KMeans, saving
from steinhaus.errors import ModelError
from steinhaus.signed import pack, unpack
from steinhaus.study import files


@pytest.fixture
def x(rng):
    return rng.normal(size=(4, 6))[rng.integers(4, size=90)] + 0.4 * rng.normal(size=(90, 6))


@pytest.fixture
def model(x, tmp_path):
    """A file of a fitted KMeans."""
    path = tmp_path / "model.safetensors"
    KMeans(4, n_init=2, random_state=0).fit(x).save(path)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_round_trip_predicts_the_same_bits(x, dtype, tmp_path):
    x = x.astype(dtype)
    kmeans = KMeans(5, init="random", n_init=3, random_state=4, tol=0.0, n_threads=1).fit(x)
    kmeans.save(tmp_path / "a")
    again = steinhaus.load(tmp_path / "a")
    assert type(again) is KMeans
    assert again.get_params() == kmeans.get_params()
    for name in ("cluster_centers_", "labels_", "inertia_history_"):
        saved, loaded = getattr(kmeans, name), getattr(again, name)
        assert (loaded.dtype, loaded.shape, loaded.tobytes()) == (saved.dtype, saved.shape, saved.tobytes())
    for name in ("inertia_", "n_iter_", "stop_reason_", "runs_", "n_features_in_"):
        assert getattr(again, name) == getattr(kmeans, name)
    assert again.predict(x).tobytes() == kmeans.predict(x).tobytes()
    assert again.transform(x).tobytes() == kmeans.transform(x).tobytes()
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_model_of_version_1_predicts_for_ever():
    model = steinhaus.load(Path(__file__).with_name("test_saving_version_1.safetensors"))
    assert saving.VERSION == 1, "who raises the number adds a model saved by the version before"
    assert model.predict(np.arange(24.0).reshape(8, 3) ** 1.5).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert model.labels_.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_a_file_over_the_limit_is_refused_before_it_is_read(model):
    size = model.stat().st_size
    with pytest.raises(ModelError, match=rf"the limit is {size - 1:,}.*load\(path, limit={size}\)"):
        steinhaus.load(model, limit=size - 1)
    assert steinhaus.load(model, limit=size).n_clusters == 4
    os.truncate(model, 1 << 40)
    with pytest.raises(ModelError, match=r"has 1,099,511,627,776 bytes, and the limit is 8,589,934,592"):
        steinhaus.load(model)


def test_names_of_features_and_an_array_as_init_come_back(x, tmp_path):
    frame = pd.DataFrame(x, columns=[f"f{t}" for t in range(6)])
    kmeans = KMeans(3, init=x[:3]).fit(frame)
    kmeans.save(tmp_path / "a")
    again = steinhaus.load(tmp_path / "a")
    assert again.feature_names_in_.tolist() == list(frame.columns)
    assert again.init.tobytes() == x[:3].tobytes()
    assert again.predict(frame).tolist() == kmeans.labels_.tolist()
    assert again.fit(frame).labels_.tolist() == kmeans.labels_.tolist()


def test_what_cannot_be_written_is_refused(x, tmp_path):
    with pytest.raises(ModelError, match="Call fit first"):
        KMeans().save(tmp_path / "a")
    told = KMeans(2, callback=print)
    with pytest.raises(ModelError, match=r"callback is a .*set_params\(callback=\.\.\.\)"):
        told.set_params(callback=lambda iteration: None).fit(x).save(tmp_path / "a")
    with pytest.raises(ModelError, match="random_state is a RandomState"):
        KMeans(2, random_state=np.random.RandomState(0)).fit(x).save(tmp_path / "a")
    with pytest.raises(ModelError, match="No such file"):
        KMeans(2).fit(x).save(tmp_path / "missing" / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_the_old_one_or_the_new_one_whichever_call_fails(x, tmp_path, monkeypatch):
    path, named = tmp_path / "model", 0
    old, new = KMeans(2, random_state=0).fit(x), KMeans(3, random_state=0).fit(x)
    for n in range(1, 100):
        old.save(path)
        failing = FailingOs(n, ("EIO", "ENOSPC")[n % 2])
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", failing)
            try:
                new.save(path)
            except ModelError as error:
                named += str(path) in str(error) and "that name is unchanged" in str(error)
        assert steinhaus.load(path).n_clusters in ((2, 3) if failing.failed else (3,))
        if failing.failed is None:
            assert named > 5
            return
    raise AssertionError("it was never saved")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"not a regular file. Name a file that `estimator.save` wrote"):
        steinhaus.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="not a regular file"):
        steinhaus.load(tmp_path / "pipe")
    with pytest.raises(ModelError, match="No such file"):
        steinhaus.load(tmp_path / "missing")


def with_header(header, body=b""):
    """A file of this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def tensor(shape, first, end, dtype="I32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, end]}


# The ways in which safetensors' own tests spoil a header, and some more.
MALFORMED = {
    "no room for a length": b"\x01\x00\x00",
    "a length beyond the format's limit": (2**40).to_bytes(8, "little") + b"{}",
    "a length beyond the file": (60).to_bytes(8, "little") + b"{}",
    "a header that is not UTF-8": with_header(b"\xff\xfe{}"),
    "a header that is no object": with_header(b"[1]"),
    "a header that is no JSON": with_header(b"{ no json"),
    "no header at all": with_header(b""),
    "data after the tensors": with_header({"t": tensor([2, 2], 0, 16)}, b"\0" * 16 + b"polyglot"),
    "data missing": with_header({"t": tensor([2, 2], 0, 16)}, b"\0" * 14),
    "a hole between tensors": with_header({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, b"\0" * 12),
    "tensors that overlap": with_header({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, b"\0" * 12),
    "a tensor that ends before it begins": with_header({"a": tensor([1], 4, 0)}, b"\0" * 4),
    "a shape that does not fill its bytes": with_header({"a": tensor([2, 10], 0, 16)}, b"\0" * 16),
    "a shape that overflows": with_header({"a": tensor([2**63, 2], 0, 16)}, b"\0" * 16),
    "a size that overflows": with_header({"a": tensor([2**61, 2], 0, 16)}, b"\0" * 16),
    "an unknown type": with_header({"a": tensor([2], 0, 8, "I31")}, b"\0" * 8),
    "a deep header": with_header(b'{"a":' * 100_000),
    "an empty file": b"",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_refused(case, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(MALFORMED[case])
    with pytest.raises(ModelError, match="no model saved by Steinhaus"):
        steinhaus.load(path)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_the_name_is_never_loaded(protocol, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap(), protocol))
    with pytest.raises(ModelError, match="pickle" if protocol >= 2 else "no model"):
        steinhaus.load(path)


def test_an_archive_under_the_name_is_never_opened(tmp_path):
    path = tmp_path / "model.safetensors"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Trap()))
    with pytest.raises(ModelError, match="archive"):
        steinhaus.load(path)


def rewrite(path, change):
    """Spoil the content of a model, and sign it rightly."""
    arrays, about = unpack(path.read_bytes(), saving.TYPES)
    change(arrays, about)
    path.write_bytes(pack(arrays, about))


def put(array, place, value):
    array[place] = value


SPOILT = {
    "NaN centroids": (lambda arrays, about: put(arrays["cluster_centers_"], (1, 2), np.nan), "finite"),
    "infinite centroids": (lambda arrays, about: put(arrays["cluster_centers_"], (1, 2), np.inf), "finite"),
    "flat centroids": (lambda arrays, about: arrays.update(cluster_centers_=np.zeros(6)), "table"),
    "no centroids": (lambda arrays, about: arrays.pop("cluster_centers_"), "malformed"),
    "integer centroids": (lambda arrays, about: arrays.update(cluster_centers_=np.zeros((4, 6), np.int64)), "table"),
    "fewer features": (lambda arrays, about: arrays.update(cluster_centers_=np.zeros((4, 5))), "number of features"),
    "fewer clusters than labels": (lambda arrays, about: arrays.update(cluster_centers_=np.zeros((2, 6))), "labels"),
    "negative labels": (lambda arrays, about: put(arrays["labels_"], 0, -1), "labels"),
    "wide labels": (lambda arrays, about: arrays.update(labels_=np.zeros(90, np.int64)), "labels"),
    "a tensor too many": (lambda arrays, about: arrays.update(more=np.zeros(2)), "'more'"),
    "a history too short": (lambda arrays, about: arrays.update(inertia_history_=np.zeros(1)), "inertia history"),
    "negative inertia": (lambda arrays, about: about["fitted"].update(inertia_=-1.0), "inertia"),
    "a cost that no float holds": (lambda arrays, about: put(about["fitted"]["runs_"][0], 1, 10**400), "malformed"),
    "no iterations": (lambda arrays, about: about["fitted"].update(n_iter_=0), "iterations"),
    "an unknown end": (lambda arrays, about: about["fitted"].update(stop_reason_="BORED"), "malformed"),
    "names that are numbers": (lambda arrays, about: about["fitted"].update(feature_names_in_=[1] * 6), "names"),
    "an unknown class": (lambda arrays, about: about.update({"class": "Popen"}), "class 'Popen' is unknown"),
    "an unknown version": (lambda arrays, about: about.update(version=2), "version is 2"),
    "another format": (lambda arrays, about: about.update(format="x"), "something else"),
    "a part too many": (lambda arrays, about: about.update(more=1), "its parts"),
    "a parameter too many": (lambda arrays, about: about["params"].update(more=1), "parameters"),
    "a parameter out of range": (lambda arrays, about: about["params"].update(n_clusters=-1), "n_clusters"),
    "parameters in a list": (lambda arrays, about: about.update(params=[]), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_content_that_is_not_a_models_is_refused(case, model):
    change, message = SPOILT[case]
    rewrite(model, change)
    with pytest.raises(ModelError, match=message):
        steinhaus.load(model)


def test_any_flipped_bit_is_found(model, rng):
    whole = model.read_bytes()
    for place in rng.integers(len(whole), size=60):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << rng.integers(8)
        model.write_bytes(spoilt)
        with pytest.raises(ModelError):
            steinhaus.load(model)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "metadata"),
        ({"other": "{}"}, "metadata"),
        ({"steinhaus": "{}", "other": ""}, "metadata"),
        ({"steinhaus": "[]"}, "no object"),
        ({"steinhaus": '{"a":1,"a":2}'}, "stands twice"),
        ({"steinhaus": '{"a":NaN}'}, "NaN stands"),
        ({"steinhaus": '{"sha256":"00"}'}, "checksum"),
    ],
)
def test_metadata_are_strict(metadata, message, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors.numpy.save({"cluster_centers_": np.zeros((2, 2))}, metadata=metadata))
    with pytest.raises(ModelError, match=message):
        steinhaus.load(path)


def test_half_precision_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors.numpy.save({"cluster_centers_": np.zeros((2, 2), np.float16)}))
    with pytest.raises(ModelError, match="of the type F16"):
        steinhaus.load(path)
