"""End a command by a signal, whatever code the signal interrupts."""

from __future__ import annotations

import signal
import sys
import weakref
from types import FrameType, TracebackType
from typing import Any, NoReturn

AGAIN = 0.02  # seconds until a signal is raised again, so that the code that dropped it has ended
_TIMED = hasattr(signal, "setitimer")  # Windows has no such timers: there, a dropped signal stays dropped


class Ending:
    """During a `with` block, Ctrl-C (SIGINT) and SIGTERM raise an exception in the main thread.

    Python drops an exception that a handler raises within a finalizer or a callback of a weak reference, and sometimes
    while it compiles a module. Every import has such moments. A dropped exception is freed, which raises the signal
    again. An exception that is still on its way out is not freed.
    """

    def __init__(self) -> None:
        self.signal: int | None = None  # the last signal
        self._raised: weakref.ref[BaseException] | None = None
        self._before: dict[int, Any] = {}
        self._hook = sys.unraisablehook

    @property
    def code(self) -> int | None:
        """The exit code of the signal, as a shell counts; None: there was none."""
        return None if self.signal is None else 128 + self.signal

    def __enter__(self) -> Ending:
        self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        if _TIMED:
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._raise_again)
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raised = None
        if _TIMED:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._hook

    def _raise(self, number: int, frame: FrameType | None) -> NoReturn:
        self.signal = number
        raise self._made(number)  # no variable holds it: it would hold its own traceback, and never be freed

    def _raise_again(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise self._made(self.signal)

    def _made(self, number: int) -> BaseException:
        error = _Interrupt() if number == signal.SIGINT else _Termination(self.code)
        self._raised = weakref.ref(error, self._freed)
        return error

    def _freed(self, raised: weakref.ref[BaseException]) -> None:
        if _TIMED:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)

    def _unraisable(self, dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, _Interrupt | _Termination):
            self._hook(dropped)


class _Interrupt(KeyboardInterrupt):
    """A Ctrl-C. A class of its own, because weak references need one."""


class _Termination(SystemExit):
    """A SIGTERM."""
