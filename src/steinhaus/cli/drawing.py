"""A second process that draws a study's figures while the command writes its page: Matplotlib keeps a core busy.

It starts with the command, imports Matplotlib meanwhile, waits for a task on its standard input, draws, and ends. Where
it fails, whatever the reason, there is still the command itself to draw them.
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

PATIENCE = 2.0  # seconds for it to end in, when it is no longer needed


class FigureProcess:
    """The second process, as the command sees it."""

    PROCESSES = 2  # that draw, in truth: see `serve`

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, folder: Path, formats: Sequence[str], flows: Sequence[Int64]) -> None:
        """Begin to draw the figures of the finished study in a folder; `flows` are those of `ReportData`."""
        task = {"folder": str(folder), "formats": list(formats), "flows": [table.tolist() for table in flows]}
        asked = cast(IO[str], self._process.stdin)
        with suppress(OSError):
            asked.write(json.dumps(task))
            asked.close()

    def drawn(self) -> list[Path]:
        """Wait for the files that were drawn; none if it has failed."""
        told = cast(IO[str], self._process.stdout).read()
        return [Path(name) for name in json.loads(told)] if told else []

    def end(self) -> None:
        """Leave no process behind, and no file half written."""
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
    """The second process for as long as a command may need it; None if no core is left for it, or it can't start."""
    from steinhaus.resources import available_cores

    if not wanted or available_cores() < 2:
        yield None
        return
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],  # -P: the folder that the command runs in is no place of modules
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # a group of its own: it is two processes while it draws
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
    """Draw what is asked for on standard input, a half in each of two processes; name the files on standard output."""
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
