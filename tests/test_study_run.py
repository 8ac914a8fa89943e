from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naive_points import NaivePoints
from steinhaus.errors import PlanError, StoreError
from steinhaus.points import Run
from steinhaus.study import Study, events, load
from steinhaus.study.events import Event
from steinhaus.study.record import BestRecord
from study_cases import STUDY, blobs, content, run

EXPECTED = [
    ".",
    "assignments.csv",
    "events.jsonl",
    "runs",
    "runs/k002-r00.safetensors",
    "runs/k002-r01.safetensors",
    "runs/k004-r00.safetensors",
    "runs/k004-r01.safetensors",
    "study.json",
]


class Stopping:
    """A watcher that stops the study, somehow, at the n-th event."""

    def __init__(self, n: int, stop: type[BaseException] = KeyboardInterrupt) -> None:
        self.left = n
        self.stop = stop
        self.seen: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.seen.append(event)
        self.left -= 1
        if self.left == 0:
            raise self.stop


def test_the_record_is_what_was_found(tmp_path: Path) -> None:
    images = blobs()
    result = run(images, tmp_path)
    split = images.split(train=0.6, seed=3)
    assert [(r.k, r.restart) for r in result.runs] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    for r in result.runs:
        assert r.iterations == len(r.inertia)
        assert all(a >= b for a, b in zip(r.inertia, r.inertia[1:], strict=False))
        assert sum(r.sizes) == split.train.n == 36
    for best in result.best:
        X, centroids = split.train.rows / 255, result.centroids(best.k).reshape(best.k, -1)
        assert np.array_equal(result.raw_centroids(best.k) / 255, centroids)
        distances = np.square(X[:, None] - centroids).sum(axis=2)
        assert result.labels(best.k).tolist() == distances.argmin(axis=1).tolist()
        assert best.inertia == pytest.approx(distances.min(axis=1).sum())
        assert best.inertia == min(r.final_inertia for r in result.runs if r.k == best.k)
        assert best.sizes == tuple(np.bincount(result.labels(best.k), minlength=best.k))
        _check_naming(best, split.train.labels, result.labels(best.k), best.train_accuracy)
        _check_naming(best, split.test.labels, result.test_labels(best.k), best.test_accuracy)
    assert sorted(str(path.relative_to(tmp_path)) for path in [tmp_path, *tmp_path.rglob("*")]) == EXPECTED


def _check_naming(best: BestRecord, labels: np.ndarray, clusters: np.ndarray, accuracy: float | None) -> None:
    right = sum(best.mapping[cluster] == label for cluster, label in zip(clusters, labels, strict=True))
    assert accuracy == right / len(labels)


def test_memory_and_folder_and_loaded_are_the_same(tmp_path: Path) -> None:
    results = [run(), run(out=tmp_path), load(tmp_path), run(out=tmp_path)]
    assert results[0].out is None
    assert all(result.out == tmp_path for result in results[1:])
    assert len({repr(result.record) for result in results}) == 1
    for result in results[1:]:
        for k in (2, 4):
            assert np.array_equal(result.centroids(k), results[0].centroids(k))
            assert np.array_equal(result.run_centroids(k), results[0].run_centroids(k))
            assert np.array_equal(result.raw_centroids(k), results[0].raw_centroids(k))
            assert np.array_equal(result.labels(k), results[0].labels(k))
            assert np.array_equal(result.test_labels(k), results[0].test_labels(k))
        assert result.table() == results[0].table()
    assert results[2].images is None
    assert results[3].images.train.n == 36


def test_the_files_can_be_read_without_steinhaus(tmp_path: Path) -> None:
    import csv

    import safetensors.numpy

    result = run(out=tmp_path)
    study = json.loads((tmp_path / "study.json").read_text())
    assert study["schema"] == 2
    assert study["complete"]
    assert study["best"][1]["mapping"] == list(result.best[1].mapping)
    arrays = safetensors.numpy.load_file(tmp_path / "runs" / "k004-r01.safetensors")
    assert np.array_equal(arrays["centroids"].reshape(4, 3, 4) / 255, result.centroids(4, 1))
    rows = list(csv.DictReader((tmp_path / "assignments.csv").read_text().splitlines()))
    images = result.images
    assert [int(row["index"]) for row in rows] == [*images.train_index, *images.test_index]
    assert [row["part"] for row in rows] == ["train"] * 36 + ["test"] * 24
    assert [int(row["k4"]) for row in rows] == [*result.labels(4), *result.test_labels(4)]
    names = images.train.label_names
    assert [row["label"] for row in rows] == [names[i] for i in [*images.train.labels, *images.test.labels]]


def test_without_labels_naming_is_left_out(tmp_path: Path) -> None:
    result = run(blobs(labels=False), tmp_path)
    for best in result.best:
        assert (best.mapping, best.train, best.test, best.train_accuracy, best.test_accuracy) == (None,) * 5
        assert sum(best.test_sizes) == 24
    assert "label" not in (tmp_path / "assignments.csv").read_text()
    assert "acc." not in result.table()
    assert load(tmp_path).record == result.record


def test_without_test_part(tmp_path: Path) -> None:
    result = run(out=tmp_path, study=Study(k=(3,), restarts=1, train=1.0))
    assert result.record.data.n_test == 0
    assert result.test_labels(3) is None
    assert result.best[0].test is None
    assert result.best[0].test_sizes is None
    assert len(load(tmp_path).labels(3)) == 60
    assert load(tmp_path).test_labels(3) is None


def test_the_split_that_is_given() -> None:
    result = run(study=Study(k=(3,), restarts=1, train="given"))
    assert result.images.train_index.tolist() == list(range(30))
    with pytest.raises(PlanError, match="no split of its own"):
        run(replace(blobs(), given_train=None), study=Study(k=(3,), restarts=1, train="given"))


def test_a_run_alone_is_the_run_among_others() -> None:
    among = run(study=Study(k=range(1, 8), restarts=3, seed=3))
    for k in (2, 7):
        alone = run(study=Study(k=(k,), restarts=1, seed=3))
        assert alone.runs[0] == next(r for r in among.runs if (r.k, r.restart) == (k, 0))
        assert np.array_equal(alone.centroids(k, 0), among.centroids(k, 0))


def test_starts_that_are_given() -> None:
    rows = blobs().split(train=0.6, seed=3).train.pixels[:4] / 255
    study = Study(k=(4,), restarts=2, seed=3, train=0.6, init={4: [rows, rows[::-1]]})
    result = run(study=study)
    points = NaivePoints(blobs().split(train=0.6, seed=3).train.rows)
    points.assign([Run((4, 0), points.rows(np.arange(4)))])
    assert sum(result.runs[0].sizes) == 36
    once = run(study=replace(study, max_iter=1))
    first = points.labels((4, 0))
    means = np.stack([points.X[first == cluster].mean(axis=0) for cluster in range(4)])
    assert np.allclose(once.centroids(4, 0).reshape(4, -1), means / 255, rtol=1e-15)
    assert np.array_equal(result.centroids(4, 0), result.centroids(4, 1)[::-1])
    assert result.best[0].restart == 0  # ties go to the lowest restart
    assert result.record.plan["init"].startswith("given:")


def test_starts_that_are_given_are_resumed_and_told_apart(tmp_path: Path) -> None:
    rows = blobs().pixels[:8].reshape(2, 4, 12) / 255
    study = Study(k=(4,), restarts=2, init={4: list(rows)})
    result = run(out=tmp_path, study=study)
    assert run(out=tmp_path, study=study).record == result.record
    with pytest.raises(StoreError, match="init is given:"):
        run(out=tmp_path, study=replace(study, init={4: list(rows[::-1])}))


def test_one_stop_of_each_kind() -> None:
    assert {r.stop for r in run().runs} == {"CONVERGED"}
    limited = run(study=replace(STUDY, max_iter=1))
    assert {r.stop for r in limited.runs} == {"MAX_ITER"}
    assert all(r.final_inertia <= r.inertia[-1] for r in limited.runs)
    assert {r.stop for r in run(study=replace(STUDY, tol=1e9)).runs} == {"TOLERANCE"}


def test_events_tell_the_story(tmp_path: Path) -> None:
    seen: list[Event] = []
    result = run(out=tmp_path, watch=seen.append)
    assert isinstance(seen[0], events.Started)
    assert seen[0].runs == STUDY.keys
    assert seen[-1] == events.Finished(4)
    ended = [event for event in seen if isinstance(event, events.RunFinished)]
    assert sorted((e.k, e.restart, e.iterations, e.inertia) for e in ended) == [
        (r.k, r.restart, r.iterations, r.final_inertia) for r in result.runs
    ]
    advanced = [event for event in seen if isinstance(event, events.Advanced)]
    history = [p.inertia for event in advanced for p in event.active if (p.k, p.restart) == (4, 0)]
    longest = result.runs[2].inertia
    assert tuple(history) == longest[: len(history)]
    assert len(history) >= len(longest) - 1
    kept = result.events()
    assert [line["event"] for line in kept] == [e.name for e in seen if not isinstance(e, events.Advanced)]
    assert set(result.seconds) == set(STUDY.keys)
    again: list[Event] = []
    run(out=tmp_path, watch=again.append)
    assert again == [events.Finished(4, from_disk=True)]
    assert load(tmp_path).events() == kept


def test_seconds_add_up_over_sessions() -> None:
    lines = [
        {"event": "started", "seconds": 0.5},
        {"event": "run_finished", "seconds": 2.0, "k": 2, "restart": 0},
        {"event": "checkpointed", "seconds": 3.0},
        {"event": "started", "seconds": 0.25},
        {"event": "run_finished", "seconds": 1.0, "k": 2, "restart": 1},
        {"event": "run_finished", "seconds": "1", "k": "2", "restart": None},
    ]
    assert events.run_seconds(lines) == {(2, 0): 2.0, (2, 1): 4.0}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_study_goes_on(tmp_path: Path, stop: type[BaseException]) -> None:
    whole: list[Event] = []
    run(out=tmp_path / "whole", watch=whole.append)
    reference = content(tmp_path / "whole")
    for n in range(1, len(whole)):
        folder = tmp_path / f"at-{n}"
        with pytest.raises(stop):
            run(out=folder, watch=Stopping(n, stop))
        assert not (folder / ".lock").exists()
        before = load(folder)
        assert before.record.complete == isinstance(whole[n - 1], events.Finished)
        before.table()
        second = Stopping(-1)
        assert run(out=folder, watch=second).record.complete
        ended = {(e.k, e.restart) for e in second.seen if isinstance(e, events.RunFinished)}
        assert not ended & {(r.k, r.restart) for r in before.runs}, "a finished run was repeated"
        assert content(folder) == reference


def test_an_interruption_keeps_the_last_iteration(tmp_path: Path) -> None:
    stopping = Stopping(2)
    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path, watch=stopping, checkpoint_every=3600.0)
    last = next(event for event in reversed(stopping.seen) if isinstance(event, events.Advanced))
    seen: list[Event] = []
    run(out=tmp_path, watch=seen.append)
    assert isinstance(seen[0], events.Started)
    assert set(seen[0].resumed) == {(p.k, p.restart) for p in last.active}
    first = next(event for event in seen if isinstance(event, events.Advanced))
    assert first.active[0].iteration == last.active[0].iteration + 1


def test_a_damaged_checkpoint_is_told_and_costs_time_alone(tmp_path: Path) -> None:
    run(out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path / "cut", watch=Stopping(4))
    checkpoint = tmp_path / "cut" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    seen: list[Event] = []
    run(out=tmp_path / "cut", watch=seen.append)
    assert any(isinstance(event, events.Noted) and "checkpoint" in event.text for event in seen)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


@pytest.mark.parametrize("name", ["runs/k004-r01.safetensors", "assignments.csv"])
def test_what_was_deleted_from_a_finished_study_is_made_again(tmp_path: Path, name: str) -> None:
    run(out=tmp_path)
    reference = content(tmp_path)
    (tmp_path / name).unlink()
    seen: list[Event] = []
    run(out=tmp_path, watch=seen.append)
    assert content(tmp_path) == reference
    again = [(e.k, e.restart) for e in seen if isinstance(e, events.RunFinished)]
    assert again == ([(4, 1)] if "runs" in name else [])


def test_another_plan_or_other_data_are_refused_field_by_field(tmp_path: Path) -> None:
    run(out=tmp_path)
    reference = content(tmp_path)
    with pytest.raises(StoreError) as caught:
        run(out=tmp_path, study=replace(STUDY, k=(2, 5), seed=4))
    assert "k is 2, 4 there and 2, 5 here; seed is 3 there and 4 here" in str(caught.value)
    assert "Choose another folder, out=..." in str(caught.value)
    with pytest.raises(StoreError, match="data sha256 is"):
        run(blobs(seed=1), tmp_path)
    with pytest.raises(StoreError, match=r"data full_scale is 255\.0 there and 100\.0 here"):
        run(replace(blobs(), full_scale=100.0), tmp_path)
    assert content(tmp_path) == reference


def test_an_unfinished_study_of_another_plan_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path, watch=Stopping(3))
    with pytest.raises(StoreError, match="max_iter is 300 there and 9 here"):
        run(out=tmp_path, study=replace(STUDY, max_iter=9))


def test_a_read_only_copy_of_a_finished_study_is_read(tmp_path: Path) -> None:
    run(out=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    run(out=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_questions_that_have_no_answer(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no study in"):
        load(tmp_path / "nothing")
    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path, watch=Stopping(10))
    result = load(tmp_path)
    with pytest.raises(PlanError, match="no finished run of K = 3"):
        result.centroids(3)
    run(out=tmp_path / "whole")
    whole = load(tmp_path / "whole")
    with pytest.raises(PlanError, match="no finished run of K = 4, restart 9"):
        whole.centroids(4, 9)


def test_the_engine_is_closed_whatever_happens() -> None:
    made: list[NaivePoints] = []

    def choose(X: np.ndarray, *, threads: int | None) -> NaivePoints:
        made.append(NaivePoints(X))
        return made[-1]

    run(choose=choose)
    with pytest.raises(ZeroDivisionError):
        run(choose=choose, watch=Stopping(4, ZeroDivisionError))
    assert [points.closed for points in made] == [True] * 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_killed_at_every_event(tmp_path: Path) -> None:
    whole: list[Event] = []
    run(out=tmp_path / "whole", watch=whole.append)
    reference = content(tmp_path / "whole")
    for n in range(1, len(whole) + 1):
        folder = tmp_path / f"at-{n}"

        class Killing(Stopping):
            def __call__(self, event: Event) -> None:
                self.left -= 1
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        if (child := os.fork()) == 0:
            run(out=folder, watch=Killing(n))
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        before = load(folder)
        seen: list[Event] = []
        run(out=folder, watch=seen.append)
        ended = {(e.k, e.restart) for e in seen if isinstance(e, events.RunFinished)}
        assert not ended & {(r.k, r.restart) for r in before.runs}
        assert content(folder) == reference
        if not before.record.complete:
            assert any(isinstance(e, events.Noted) and "died" in e.text for e in seen)
