"""A study with refining: what it keeps, how it resumes, and what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from steinhaus.cli import main
from steinhaus.errors import PlanError, StoreError
from steinhaus.images import open_images
from steinhaus.report import from_result, render, words
from steinhaus.study import Study, load
from steinhaus.study.events import Refined, Refining
from study_cases import STUDY, blobs, content, run

REFINED = Study(k=(2, 5), restarts=2, seed=4, train=0.6, refine="breathing")
OLD = Path(__file__).parent / "test_store_schema_2_refined"


def test_the_best_of_each_k_is_the_refined_one(tmp_path):
    told = []
    plain, refined = run(study=Study(k=(2, 5), restarts=2, seed=4, train=0.6)), None
    refined = run(out=tmp_path, study=REFINED, watch=told.append)
    assert [found.k for found in refined.record.refined] == [2, 5]
    for before, after, found in zip(plain.best, refined.best, refined.record.refined, strict=True):
        assert after.restart == before.restart == found.restart
        assert after.inertia == found.final_inertia <= before.inertia == found.inertia[0]
        assert list(found.inertia) == sorted(found.inertia, reverse=True)
    assert refined.best[1].inertia < plain.best[1].inertia
    assert [run.inertia for run in refined.runs] == [run.inertia for run in plain.runs]
    steps = [event for event in told if isinstance(event, Refining) and event.k == 5]
    assert len(steps) == len(refined.record.refined[1].inertia) - 1
    assert [event.k for event in told if isinstance(event, Refined)] == [2, 5]
    assert set(refined.refining_seconds) == {2, 5}


def test_from_disk_it_is_the_same_bit_for_bit(tmp_path, rng):
    np.save(tmp_path / "x.npy", (rng.random((300, 6, 6)) * 255).astype(np.uint8))
    study = Study(k=(5,), restarts=2, init="random", refine="breathing")
    here, there = (study.run(open_images(tmp_path / "x.npy", stored=stored)) for stored in (False, True))
    assert here.record.refined == there.record.refined
    assert here.raw_centroids(5).tobytes() == there.raw_centroids(5).tobytes()
    assert here.labels(5).tolist() == there.labels(5).tolist()


def test_labels_sizes_and_centroids_are_of_the_refined_clusters(tmp_path):
    result = run(out=tmp_path, study=REFINED)
    again = load(tmp_path)
    assert again.record == result.record
    for of in (result, again):
        labels, best = of.labels(5), of.best[1]
        assert [int((labels == cluster).sum()) for cluster in range(5)] == list(best.sizes)
        kept = safetensors.numpy.load_file(tmp_path / "runs" / "k005-refined.safetensors")
        assert of.raw_centroids(5).tolist() == kept["centroids"].tolist()
        assert of.raw_centroids(5, best.restart).tolist() != kept["centroids"].tolist()


@pytest.mark.parametrize("moment", [Refining, Refined])
@pytest.mark.parametrize("k", [2, 5])
def test_an_interrupted_study_ends_in_the_same_bytes(tmp_path, moment, k):
    wanted = tmp_path / "wanted"
    run(out=wanted, study=REFINED)

    def stop(event):
        if isinstance(event, moment) and event.k == k:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out=tmp_path / "it", study=REFINED, watch=stop)
    unfinished = load(tmp_path / "it")
    assert not unfinished.record.complete
    assert len(unfinished.best) == 2
    run(out=tmp_path / "it", study=REFINED)
    assert content(tmp_path / "it") == content(wanted)


@pytest.mark.slow
def test_killed_at_20_moments_it_ends_in_the_same_bytes(tmp_path):
    wanted, told = tmp_path / "wanted", []
    run(out=wanted, study=REFINED, watch=told.append)
    assert sum(isinstance(event, Refining) for event in told) > 5
    for moment in np.linspace(0, len(told) - 1, 20).astype(int).tolist():
        folder, seen = tmp_path / str(moment), []

        def stop(event, seen=seen, moment=moment):
            seen.append(event)
            if len(seen) == moment + 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(out=folder, study=REFINED, watch=stop)
        run(out=folder, study=REFINED)
        assert content(folder) == content(wanted), moment


def test_what_was_taken_away_is_refined_again(tmp_path):
    run(out=tmp_path, study=REFINED)
    before = content(tmp_path)
    (tmp_path / "runs" / "k005-refined.safetensors").unlink()
    (tmp_path / "runs" / "k002-r00.safetensors").unlink()
    run(out=tmp_path, study=REFINED)
    assert content(tmp_path) == before
    path = tmp_path / "runs" / "k005-refined.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(StoreError, match=r"k005-refined\.safetensors is damaged"):
        load(tmp_path).centroids(5)


def test_steps_can_be_limited_and_are_part_of_the_plan(tmp_path):
    limited = Study(k=(2, 5), restarts=2, seed=4, train=0.6, refine="breathing", refine_steps=1)
    result = run(out=tmp_path, study=limited)
    assert all(len(found.inertia) <= 2 for found in result.record.refined)
    assert result.record.plan["refine_steps"] == 1
    with pytest.raises(StoreError, match="holds another study: its digest is another"):
        run(out=tmp_path, study=REFINED)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"refine": "swaps"}, 'refine must be "none" or "breathing", not \'swaps\''),
        ({"refine": "breathing", "refine_steps": 0}, "refine_steps must be a whole number of at least 1"),
        ({"refine_steps": 2}, "refine_steps needs refine"),
    ],
)
def test_other_plans_are_refused(given, words):
    with pytest.raises(PlanError, match=words):
        Study(**given)


def test_table_and_report_say_what_it_gained(tmp_path):
    result = run(out=tmp_path, study=REFINED)
    table = result.table()
    assert "refined inertia" in table
    assert all(len(line) <= 80 for line in table.splitlines())
    page = render(from_result(result))
    assert "it added centroids where the error is largest" in page
    for found in result.record.refined:
        took = words.duration(result.refining_seconds[found.k])
        lower = f"{words.gain(found.gain)} lower" if found.gain > 0 else "not lower"
        assert f"{lower}, {took}" in page
    gains = [found.gain > 0 for found in result.record.refined]
    assert set(gains) == {True, False}, "both words are tried"


def test_a_refined_folder_of_schema_2_opens_for_ever(tmp_path):
    result = load(OLD)
    assert result.record.schema == 2
    assert [(found.k, found.restart) for found in result.record.refined] == [(2, 0), (5, 1)]
    shutil.copytree(OLD, tmp_path / "copy")
    assert run(out=tmp_path / "copy", study=REFINED).record == result.record, "the same command finds it finished"


def test_a_plan_without_refining_is_what_it_was():
    assert "refine" not in STUDY.plan()
    assert STUDY.digest(blobs()) != Study(k=(2, 4), restarts=2, seed=3, train=0.6, refine="breathing").digest(blobs())


def test_the_command_refines(tmp_path, capsys):
    words = ["study", "digits", "--k", "3", "--restarts", "1", "--refine", "breathing", "--refine-steps", "2"]
    assert main([*words, "--out", str(tmp_path / "it")]) == 0
    told = capsys.readouterr()
    assert "refined: inertia" in told.err
    assert "refined inertia" in told.out
    assert "--refine breathing --refine-steps 2" in load(tmp_path / "it").record.command
