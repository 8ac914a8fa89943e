"""A signal ends a command, also if it comes where Python drops exceptions."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

import click
import pytest

from steinhaus.cli import app
from steinhaus.cli.ending import Ending


class Thing:
    """Something that can be freed."""


def handlers() -> list[object]:
    return [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)), sys.unraisablehook]


def in_a_finalizer(sent: int) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(sent)

    Finalized()


def in_a_callback_of_a_weak_reference(sent: int) -> None:
    """As those of the locks of modules, in every import."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(sent))
    del thing
    assert reference() is None


def in_garbage_collection(sent: int) -> None:
    """As Dask's, which measures it."""

    def collected(phase: str, about: dict[str, int]) -> None:
        signal.raise_signal(sent)

    gc.callbacks.append(collected)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(collected)


def in_one_finalizer_after_another(sent: int) -> None:
    """For longer than it takes until the signal is raised again."""

    class Finalized:
        def __del__(self) -> None:
            time.sleep(0.05)

    in_a_finalizer(sent)
    for _ in range(2):
        Finalized()


def swallowed(sent: int) -> None:
    with suppress(BaseException):
        signal.raise_signal(sent)


KINDS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: SystemExit}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "lost",
    [
        in_a_finalizer,
        in_a_callback_of_a_weak_reference,
        in_garbage_collection,
        in_one_finalizer_after_another,
        swallowed,
    ],
)
def test_a_dropped_signal_comes_again(
    lost: Callable[[int], None], sent: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        lost(sent)
        time.sleep(10)

    with Ending() as ending, pytest.raises(KINDS[sent]):
        work()
    assert ending.code == 128 + sent
    assert capsys.readouterr().err == "", "no word about the one that was dropped"


def test_a_signal_on_its_way_out_does_not_come_again() -> None:
    """While it is handled, a study saves its state."""

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            with suppress(ValueError):
                raise ValueError
            time.sleep(0.1)
            saved.append(True)

    saved: list[bool] = []
    with Ending(), pytest.raises(SystemExit):
        work()
    assert saved


def test_a_second_signal_stops_what_the_first_began() -> None:
    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGTERM)
            time.sleep(10)

    with Ending(), pytest.raises(SystemExit):
        work()


def test_a_command_that_ends_before_the_signal_comes_again_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    before = handlers()
    monkeypatch.setattr(app.program, "main", lambda *given, **options: in_a_finalizer(signal.SIGTERM))
    assert app.main([]) == 0
    time.sleep(0.05)
    assert handlers() == before


def test_an_error_that_a_signal_became_is_the_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Named:
        def __set_name__(self, owner: type, name: str) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    def define(*given: object, **options: object) -> None:
        type("Owner", (), {"named": Named()})  # a RuntimeError

    monkeypatch.setattr(app.program, "main", define)
    assert app.main([]) == 143
    assert capsys.readouterr().err == ""


def test_an_ignored_signal_stays_ignored() -> None:
    """A shell starts commands in the background so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Ending():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_errors_in_finalizers_are_still_told(capsys: pytest.CaptureFixture[str]) -> None:
    class Failing:
        def __del__(self) -> None:
            raise click.Abort

    told: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda dropped: told.append(dropped.exc_type)
    try:
        with Ending():
            Failing()
    finally:
        sys.unraisablehook = before
    assert told == [click.Abort]
