"""A second process draws a study's figures while the command writes its page, because Matplotlib keeps a core busy.

It starts with the command, imports Matplotlib, waits for a task on its standard input, draws, and ends. If it fails for
any reason, the command draws the figures itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from steinhaus.report.data import Int64

PATIENCE = 2.0  # seconds in which it must end after the last task


class FigureProcess:
    """The second process, as the command sees it."""

    PROCESSES = 2  # the processes that really draw; see `serve`

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, folder: Path, formats: Sequence[str], flows: Sequence[Int64]) -> None:
        """Begin to draw the figures of a finished study; `flows` are those of `ReportData`, (K, next K) int64 each."""
        task = {"folder": str(folder), "formats": list(formats), "flows": [table.tolist() for table in flows]}
        asked = cast(IO[str], self._process.stdin)
        with suppress(OSError):
            asked.write(json.dumps(task))
            asked.close()

    def drawn(self) -> list[Path]:
        """Wait for the drawing, and return the files; none if it failed."""
        told = cast(IO[str], self._process.stdout).read()
        return [Path(name) for name in json.loads(told)] if told else []

    def end(self) -> None:
        """End the process, without half-written files."""
        process = self._process
        with suppress(OSError):
            cast(IO[str], process.stdin).close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        cast(IO[str], process.stdout).close()


@contextmanager
def figure_process(*, wanted: bool = True) -> Iterator[FigureProcess | None]:
    """The second process while a command may need it; None if there is no free core, or if it cannot start."""
    from steinhaus.resources import available_cores

    if not wanted or available_cores() < 2:
        yield None
        return
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],  # -P: import no modules from the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # its own process group, because it becomes two processes while it draws
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
    except OSError:
        yield None
        return
    helper = FigureProcess(process)
    try:
        yield helper
    finally:
        helper.end()


def serve() -> None:
    """Draw the task on standard input, half of it in each of two processes. Print the names of the files."""
    import numpy as np

    from steinhaus.report import figures, from_result
    from steinhaus.study import load

    if not (asked := sys.stdin.read()):
        return
    task = json.loads(asked)
    folder = Path(task["folder"])
    data = from_result(load(folder), flows=[np.array(table) for table in task["flows"]])
    other = os.fork()
    figures.save_figures(data, folder / "figures", task["formats"], share=(int(other == 0), FigureProcess.PROCESSES))
    if other and os.waitpid(other, 0)[1] == 0:
        print(json.dumps([str(path) for path in figures.paths(data, folder / "figures", task["formats"])]))


if __name__ == "__main__":
    serve()
