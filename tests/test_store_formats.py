"""Every file of a folder, read back: whole, cut short, with a flipped bit, and invented."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from steinhaus import engines
from steinhaus.canonical import canonical
from steinhaus.errors import StoreError
from steinhaus.points import Fit, Run, Stop
from steinhaus.study import events, load, schema, tensors
from steinhaus.study.record import SCHEMA
from steinhaus.study.result import StudyResult
from steinhaus.study.store import Folder
from study_cases import STUDY, blobs, content, run

KEY = (3, 1)
FIT = Fit(KEY, np.arange(12.0).reshape(3, 4), np.array([5, 0, 4]), (7.5, 0.1 + 0.2), 0.3, Stop.TOLERANCE)
HERE = Path(__file__).parent
OLD = HERE / "test_store_schema_1"
OLD_UNFINISHED = HERE / "test_store_schema_1_unfinished"  # the same study, stopped after its first run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(out=folder)
    return folder


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was interrupted: with one run finished, and a checkpoint."""
    folder = tmp_path_factory.mktemp("cut")

    def watch(event: events.Event) -> None:
        if isinstance(event, events.Checkpointed) and event.active < 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out=folder, watch=watch)
    return folder


def everything(folder: Path) -> dict[str, Any]:
    """All that can be read of a folder."""
    result = load(folder)
    arrays = {(r.k, r.restart): result.centroids(r.k, r.restart).tobytes() for r in result.runs}
    labels = {}
    if result.record.complete:
        labels = {k: (result.labels(k).tobytes(), result.test_labels(k).tobytes()) for k in STUDY.ks}
    return {"record": repr(result.record), "arrays": arrays, "labels": labels, "table": result.table()}


# The bytes of runs


def test_a_run_comes_back_bit_for_bit() -> None:
    data = tensors.encode_fit(FIT, "digest")
    again = tensors.decode_fit(data, "digest", KEY, d=4, n=9)
    assert np.array_equal(again.centroids, FIT.centroids)
    assert np.array_equal(again.counts, FIT.counts)
    assert (again.key, again.history, again.inertia, again.stop) == (KEY, FIT.history, FIT.inertia, FIT.stop)
    assert tensors.encode_fit(again, "digest") == data
    assert safetensors.numpy.load(data)["inertia"].tolist() == list(FIT.history)


def test_active_runs_come_back_bit_for_bit() -> None:
    runs = [Run(KEY, FIT.centroids, FIT.history, Stop.MAX_ITER), Run((1, 0), FIT.centroids[:1])]
    data = tensors.encode_checkpoint(runs, "digest")
    again = tensors.decode_checkpoint(data, "digest", [(1, 0), KEY, (9, 9)], 4)
    assert list(again) == [(1, 0), KEY]
    for active in runs:
        kept = again[active.key]
        assert np.array_equal(kept.centroids, active.centroids)
        assert (kept.history, kept.stop) == (active.history, active.stop)


def test_a_run_is_only_taken_for_what_it_is() -> None:
    def decode(fit: Fit = FIT, study: str = "digest", key: Any = KEY, d: int = 4, n: int = 9) -> Fit:
        return tensors.decode_fit(tensors.encode_fit(fit, "digest"), study, key, d, n)

    nan = np.full((3, 4), np.nan)
    for wrong, words in [
        (lambda: decode(study="other"), "another study"),
        (lambda: decode(key=(3, 2)), "another run"),
        (lambda: decode(d=5), "centroids is missing or has another shape"),
        (lambda: decode(n=8), "sizes do not add up"),
        (lambda: decode(replace(FIT, counts=np.array([5, -1, 5]))), "sizes do not add up"),
        (lambda: decode(replace(FIT, counts=np.array([2**63 - 1, 2**63 - 1, 11]))), "sizes do not add up"),
        (lambda: decode(replace(FIT, history=())), "no iterations"),
        (lambda: decode(replace(FIT, history=(float("inf"),))), "finite"),
        (lambda: decode(replace(FIT, centroids=nan)), "NaN"),
        (lambda: decode(replace(FIT, centroids=FIT.centroids.astype(np.float32))), "not a safetensors file of a study"),
        (lambda: decode(replace(FIT, centroids=FIT.centroids.astype(np.int64))), "centroids is missing"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()


@given(st.binary(max_size=200))
def test_any_bytes_for_a_run_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="it is not a safetensors file"):
        tensors.decode_fit(data, "digest", KEY, 4, 9)


@given(
    st.recursive(
        st.none() | st.integers() | st.text("ab", max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=25)
def test_any_metadata_of_a_run_are_refused(about: Any) -> None:
    data = safetensors.numpy.save({"centroids": FIT.centroids}, metadata={"steinhaus": json.dumps(about)})
    with pytest.raises(ValueError, match=r"it is not a safetensors file|checksum"):
        tensors.decode_fit(data, "digest", KEY, 4, 9)


# study.json


def test_the_document_comes_back(whole: Path) -> None:
    data = (whole / "study.json").read_bytes()
    document = schema.decode(data)
    assert schema.encode(document) == data
    assert document.files.keys() == {"assignments.csv"}
    assert data.count(b"\n") > 10, "one line for each run"


@given(st.binary(max_size=60) | st.text('{}[]":,.-ab01\n', max_size=60).map(str.encode))
def test_any_bytes_for_a_document_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        schema.decode(data)


def resigned(folder: Path, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A `study.json` that was changed by somebody who knows the checksum."""
    study = json.loads((folder / "study.json").read_text())
    del study["sha256"]
    change(study)
    study["sha256"] = schema._checksum(study)
    return json.dumps(study).encode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda s: s.update(schema=SCHEMA + 1),
            f"schema {SCHEMA + 1}, but this version of Steinhaus reads schemas up to {SCHEMA}",
        ),
        (lambda s: s.update(schema="1"), "its schema is '1'"),
        (lambda s: s.pop("plan"), "plan is missing"),
        (lambda s: s["data"].pop("n_train"), "data.n_train is missing"),
        (lambda s: s["data"].update(n_train="36"), "data.n_train is '36', not of type int"),
        (lambda s: s["data"].update(n_train=True), "not of type int"),
        (lambda s: s["data"].update(shape=[3, None]), r"data.shape\[1\] is 'None', not of type int"),
        (lambda s: s["data"].update(shape=3), "data.shape is '3', not of type list"),
        (lambda s: s.update(runs={}), "runs is '{}', not of type list"),
        (lambda s: s["plan"].update(k=[0]), "its plan is not valid"),
        (lambda s: s["plan"].update(more=1), "its plan is not valid"),
        (lambda s: s["plan"].pop("init"), "its plan is not valid"),
        (lambda s: s["runs"].pop(), "not all runs are there|best run is missing"),
        (lambda s: s["runs"].reverse(), "not those of its plan"),
        (lambda s: s["runs"][0].update(iterations=1), "one inertia for each iteration"),
        (lambda s: s["runs"][0].update(sizes=[1, 2]), "other sizes"),
        (lambda s: s["runs"][0].update(stop="LATER"), "unknown reason"),
        (lambda s: s["best"].pop(), "not all runs are there"),
        (lambda s: s["best"][0].update(restart=7), "best run is missing"),
        (lambda s: s["best"][0].update(mapping=[0]), "another mapping"),
        (lambda s: s["best"][0].update(mapping=[0, 5]), "mapped to a label that does not exist"),
        (lambda s: s["best"][0]["train"].update(confusion=[[1]]), "another confusion"),
        (lambda s: s["best"][0].update(inertia="1"), r"best\[0\].inertia is '1', not of type float"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(
    whole: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    (tmp_path / "study.json").write_bytes(resigned(whole, change))
    with pytest.raises(StoreError, match=words):
        load(tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"schema": NaN}', '{"schema": 1e999}', '{"schema": ' + "9" * 5000 + "}"]
)
def test_a_document_made_to_hurt_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(StoreError, match=r"study\.json is damaged"):
        load(tmp_path)


def test_an_unknown_field_is_ignored(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_bytes(resigned(whole, lambda s: s["data"].update(more=1)))
    assert load(tmp_path).record == load(whole).record


# Flipped, cut and swapped


@pytest.mark.parametrize("places", [30, pytest.param(250, marks=pytest.mark.slow)])
@pytest.mark.parametrize("state", ["whole", "cut"])
def test_a_flipped_bit_is_found_or_harmless(
    request: pytest.FixtureRequest, tmp_path: Path, state: str, places: int
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(request.getfixturevalue(state), folder)
    truth, rng, messages = everything(folder), np.random.default_rng(0), []
    paths = [path for path in folder.rglob("*") if path.is_file()]
    for path in paths:
        data = path.read_bytes()
        for place in rng.integers(0, len(data), places).tolist():
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(0, 8))
            path.write_bytes(flipped)
            try:
                assert everything(folder) == truth
                load(folder).seconds  # noqa: B018
            except StoreError as error:
                messages.append((path, str(error)))
        path.write_bytes(data)
    assert all(str(path) in message for path, message in messages)
    assert len(messages) > places * (len(paths) - 3)


@pytest.mark.parametrize("places", [12, pytest.param(250, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_a_checkpoint_changes_no_result(cut: Path, whole: Path, tmp_path: Path, places: int) -> None:
    rng = np.random.default_rng(1)
    data = (cut / "checkpoint.safetensors").read_bytes()
    for place in rng.integers(0, len(data), places).tolist():
        folder = tmp_path / str(place)
        shutil.copytree(cut, folder)
        flipped = bytearray(data)
        flipped[place] ^= 16
        (folder / "checkpoint.safetensors").write_bytes(flipped)
        run(out=folder)
        assert content(folder) == content(whole)
        shutil.rmtree(folder)


def test_events_cut_at_every_byte_lose_one_line_at_most(whole: Path) -> None:
    data = (whole / "events.jsonl").read_bytes()
    lines = events.parse(data)
    assert len(lines) == data.count(b"\n")
    for length in range(len(data)):
        kept = events.parse(data[:length])
        assert kept == lines[: len(kept)]
        assert len(kept) >= data[:length].count(b"\n")


@pytest.mark.parametrize("name", ["study.json", "assignments.csv", "runs/k002-r00.safetensors"])
def test_a_file_cut_short_is_named_with_the_way_out(whole: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(whole, folder)
    data = (folder / name).read_bytes()
    for length in (0, 1, 9, len(data) // 2, len(data) - 2):
        (folder / name).write_bytes(data[:length])
        with pytest.raises(StoreError, match="is damaged or was changed") as caught:
            everything(folder)
        assert str(folder / name) in str(caught.value)
        assert "Delete it" in str(caught.value) or "Restore it" in str(caught.value)


def test_a_file_that_is_missing_is_named(whole: Path, tmp_path: Path) -> None:
    for name in ("assignments.csv", "runs/k002-r00.safetensors"):
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        (folder / name).unlink()
        with pytest.raises(StoreError, match=r"is missing\. Give the study's command again"):
            everything(folder)


def test_a_run_of_another_study_is_refused(whole: Path, tmp_path: Path) -> None:
    run(out=tmp_path / "other", study=replace(STUDY, seed=9))
    name = "runs/k002-r00.safetensors"
    shutil.copytree(whole, tmp_path / "folder")
    shutil.copy(tmp_path / "other" / name, tmp_path / "folder" / name)
    with pytest.raises(StoreError, match="it belongs to another study"):
        everything(tmp_path / "folder")


def test_a_table_of_another_study_is_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "folder")
    table = tmp_path / "folder" / "assignments.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:1] + lines[:0:-1]))
    with pytest.raises(StoreError, match=r"sha256 is not the one in study\.json"):
        load(tmp_path / "folder").labels(2)


def test_names_that_need_care_in_a_table(tmp_path: Path) -> None:
    images = blobs()
    names = tuple(f'a "name", with\n{i}' for i in range(5))
    images = replace(images, label_names=names, files=tuple(f"ü,{i}.png" for i in range(60)))
    result = run(images, tmp_path)
    assert np.array_equal(load(tmp_path).labels(4), result.labels(4))
    assert load(tmp_path).record == result.record


# Versions, and what must never run


def test_a_folder_of_schema_1_opens_for_ever(tmp_path: Path) -> None:
    result = load(OLD)
    assert result.record.schema == 1
    assert [(r.k, r.restart, r.iterations) for r in result.runs] == [(2, 0, 2), (2, 1, 3), (4, 0, 5), (4, 1, 5)]
    assert result.centroids(4).shape == (4, 3, 4)
    assert len(result.labels(2)) == 36
    assert len(result.test_labels(2)) == 24
    assert set(result.seconds) == set(STUDY.keys)
    shutil.copytree(OLD, tmp_path / "copy")
    assert run(out=tmp_path / "copy").record == result.record, "the same command finds it finished"


def test_an_unfinished_folder_of_schema_1_is_gone_on_with_for_ever(tmp_path: Path) -> None:
    shutil.copytree(OLD_UNFINISHED, tmp_path / "copy")
    result = load(tmp_path / "copy")
    assert (result.record.schema, result.record.complete) == (1, False)
    assert [(run.k, run.restart) for run in result.runs] == [(2, 0)]
    assert set(Folder.find(OLD_UNFINISHED).checkpoint()) == {(2, 1), (4, 0), (4, 1)}
    happened: list[events.Event] = []
    run(out=tmp_path / "copy", watch=happened.append)
    assert happened[0].finished == ((2, 0),)
    assert happened[0].resumed == ((2, 1), (4, 0), (4, 1))
    assert content(tmp_path / "copy") == content(OLD)


def test_a_folder_of_schema_2_opens_for_ever(tmp_path: Path) -> None:
    result = load(HERE / "test_store_schema_2")
    features = result.record.data.features
    assert (result.record.schema, features.told, features.width, features.d) == (
        2,
        "pixels, 3 principal components",
        12,
        3,
    )
    assert [(r.k, r.restart) for r in result.runs] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    assert result.centroids(4).shape == (4, 3)
    assert result.mean_images(4).shape == (4, 3, 4)
    assert result.medoids(2).shape == (2, 9)
    shutil.copytree(HERE / "test_store_schema_2", tmp_path / "copy")
    again = run(out=tmp_path / "copy", study=replace(STUDY, features="pca:3"), choose=engines.choose)
    assert again.record == result.record, "the same command finds it finished"


def test_every_schema_has_its_folders() -> None:
    """Who raises the number adds a folder written by the version before."""
    kept = {int(path.name.split("_")[3]) for path in HERE.glob("test_store_schema_*")}
    assert kept == set(range(1, SCHEMA + 1))


def test_nothing_unpickles(whole: Path, cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    import joblib

    def never(*args: Any, **named: Any) -> Any:
        raise AssertionError("unpickled")

    for module, name in [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (joblib, "load"), (np, "load")]:
        monkeypatch.setattr(module, name, never)
    for folder in (whole, cut, OLD, OLD_UNFINISHED):
        everything(folder)
        Folder.find(folder).checkpoint()


def test_canonical_json_has_one_form_only() -> None:
    assert canonical({"b": [1.0, 0.1], "a": "é"}) == b'{"a":"\\u00e9","b":[1.0,0.1]}'
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


def test_a_result_needs_its_study_to_be_finished(cut: Path) -> None:
    result: StudyResult = load(cut)
    assert not result.record.complete
    assert 0 < len(result.runs) < 4
    with pytest.raises(StoreError, match="not finished, so its assignments are not known yet"):
        result.labels(result.runs[0].k)
    assert "Not finished" in result.table()
