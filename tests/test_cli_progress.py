"""The progress of a running study: a few lines, bars, JSON lines, or nothing."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from steinhaus.cli import bars as drawing
from steinhaus.cli import progress
from steinhaus.cli.words import columns, paragraph
from steinhaus.study.events import Advanced, Event, Finished, Noted, RunFinished, RunProgress, Started

RUNS = ((3, 0), (3, 1), (12, 0), (12, 1))


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def started(finished: tuple[tuple[int, int], ...] = (), resumed: tuple[tuple[int, int], ...] = ()) -> Started:
    return Started(RUNS, finished, resumed, n_train=42_000, n_test=28_000, machine={}, versions={})


def advanced(iteration: int) -> Advanced:
    return Advanced(tuple(RunProgress(k, restart, iteration, 2_000_000.0 - 1000 * k - restart) for k, restart in RUNS))


def lines(*events: tuple[float, Event]) -> list[str]:
    """What is written of events at given times."""
    clock, stream = Clock(), io.StringIO()
    watcher = progress.Lines(stream, clock)
    for clock.now, event in events:
        watcher.event(event)
    return stream.getvalue().splitlines()


def test_lines_tell_of_each_run_that_ends() -> None:
    ended = RunFinished(12, 1, iterations=46, inertia=1597737.4864, stop="CONVERGED")
    assert lines((0, started()), (1, advanced(1)), (2, ended)) == [
        "Running 4 runs (2 values of K) on 42,000 images, 28,000 more to test.",
        "K = 12, run 2 of 2: inertia 1,597,737.486 after 46 iterations, converged",
    ]


def test_lines_break_a_long_silence_only() -> None:
    told = lines((0, started()), *((0.5 * step, advanced(step)) for step in range(1, 60)))
    assert told[1:] == ["4 runs active, iteration 20", "4 runs active, iteration 40"]


def test_lines_tell_of_a_study_that_goes_on_or_is_done() -> None:
    assert lines((0, started(finished=RUNS[:1], resumed=RUNS[1:3]))) == [
        "Resuming 4 runs (2 values of K) on 42,000 images, 28,000 more to test: 1 finished before, 2 interrupted."
    ]
    assert lines((0, Finished(4, from_disk=True))) == ["This study is finished: 4 runs found on disk, nothing to run."]
    assert lines((0, Finished(4))) == []


def drawn(bars: drawing.Bars, console: Console) -> str:
    with console.capture() as capture:
        console.print(bars)
    return capture.get()


@pytest.fixture
def console() -> Console:
    return Console(width=80, height=24, file=io.StringIO(), force_terminal=True, color_system=None, highlight=False)


def test_bars_show_a_row_for_each_k(console: Console) -> None:
    clock = Clock()
    bars = drawing.Bars(console, clock)
    bars.event(started(finished=RUNS[:1]))
    clock.now = 3.2
    bars.event(advanced(46))
    bars.event(RunFinished(12, 1, iterations=46, inertia=1597737.4864, stop="CONVERGED"))
    shown = drawn(bars, console)
    assert max(map(len, shown.splitlines())) <= 80
    three, twelve = (line.split() for line in shown.splitlines() if line.startswith("K ="))
    assert three[-3:] == ["1", "46", "1,996,999.000"]
    assert twelve[-3:] == ["1", "46", "1,597,737.486"]
    assert "2 of 4 runs, 3 s" in shown


def test_bars_show_the_runs_that_go_on_where_not_all_fit(console: Console) -> None:
    console.size = (80, 10)
    bars = drawing.Bars(console, Clock())
    runs = tuple((k, 0) for k in range(1, 21))
    bars.event(Started(runs, runs[:18], (), 100, 0, {}, {}))
    shown = drawn(bars, console)
    assert [line.split()[2] for line in shown.splitlines() if line.startswith("K =")] == [
        "1",
        "2",
        "3",
        "4",
        "19",
        "20",
    ]
    assert "14 more values of K" in shown
    assert len(shown.splitlines()) <= 10


def test_bars_vanish_when_the_study_is_done(console: Console) -> None:
    bars = drawing.Bars(console, Clock())
    bars.event(started())
    bars.event(Finished(4))
    assert drawn(bars, console).strip() == ""


def test_bars_show_how_far_a_download_is(console: Console) -> None:
    bars = drawing.Bars(console, Clock())
    bars.step("mnist: train-images", 12_300_000, 47_040_016, "bytes")
    assert "12.3 of 47.0 MB" in drawn(bars, console)
    bars.step("mnist: " + "very " * 50 + "long", 1, None, "pictures")
    assert max(map(len, drawn(bars, console).splitlines())) <= 80


def test_json_lines_hold_every_event() -> None:
    stream = io.StringIO()
    watcher = progress.JsonLines(stream)
    watcher.event(started())
    watcher.step("reading", 1, 2, "bytes")
    watcher.say("A note.")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == "started"
    assert first["runs"] == [list(key) for key in RUNS]
    assert second == {"event": "noted", "text": "A note."}


def test_quiet_still_says_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    watcher = progress.Quiet()
    for event in (started(), advanced(1), Finished(4)):
        watcher.event(event)
    watcher.step("reading", 1, 2, "bytes")
    watcher.event(Noted("The lock was broken."))
    watcher.say("Running digits.")
    assert capsys.readouterr() == ("", "The lock was broken.\nRunning digits.\n")


def test_paragraphs_fit_and_steer_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    path = "/a/" + "long" * 30
    told = paragraph(
        f"There is no study in {path}, and so on, and so forth, and more.\nA \x1b[31mred\x1b[0m line.", io.StringIO()
    )
    assert told.splitlines() == [
        "There is no study in",
        f"{path},",
        "and so on, and so forth, and more.",
        r"A \x1b[31mred\x1b[0m line.",
    ]


@pytest.mark.parametrize(("said", "width"), [("40", 40), ("3", 20), ("0", 80), ("wide", 80), ("", 80)])
def test_the_width_is_that_of_columns_where_it_is_set(monkeypatch: pytest.MonkeyPatch, said: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", said)
    assert columns(io.StringIO()) == width
