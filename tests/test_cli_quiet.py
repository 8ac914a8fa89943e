"""A command hides the log of Dask, and a Ctrl-C does not reach its workers. It prints one sentence."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra `dask`")

from killing import PROGRAM, alive, program

LOGGING = """
import logging, sys
import distributed
from steinhaus.cli.quiet import unlogged

NAMES = ("distributed.batched", "distributed.client", "distributed.gc", "tornado.application", "asyncio", "others")
logging.getLogger("distributed").addHandler(logging.FileHandler(sys.argv[1]))

def log(when):
    for name in NAMES:
        logging.getLogger(name).error(f"{when} {name}", exc_info=ValueError())

log("before")
with unlogged():
    log("within")
log("after")
try:
    with unlogged():
        raise ValueError
except ValueError:
    log("lost")
"""


def test_what_dask_logs_is_shown_again_after_a_good_end_alone(tmp_path: Path) -> None:
    """Other packages' messages always are, and a file that was asked for gets all."""
    file = tmp_path / "log"
    command = [sys.executable, "-c", LOGGING, str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    said = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True, env=environment).stderr
    for name in ("distributed.batched", "distributed.client", "distributed.gc", "tornado.application", "asyncio"):
        assert [when in said for when in (f"before {name}", f"after {name}")] == [True, True]
        assert [when in said for when in (f"within {name}", f"lost {name}")] == [False, False]
    assert said.count("others") == 4
    assert all(f"{when} distributed.batched" in file.read_text() for when in ("before", "within", "after", "lost"))


@pytest.fixture
def noise(tmp_path: Path) -> list[str]:
    """Arguments of a study on two workers."""
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (20_000, 8, 8)).astype(np.uint8))
    plan = ["--k", "20,30", "--restarts", "2", "--init", "random", "--max-iter", "400"]
    return ["study", str(path), *plan, "--quiet", "--workers", "2", "--out", str(tmp_path / "study")]


def worked(process: subprocess.Popen[str], study: Path) -> None:
    """Wait until the study begins."""
    deadline = time.monotonic() + 120
    while not (study / "events.jsonl").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


FAILING = f"""
import logging
from steinhaus.study import run
def failing(*given, **options):
    logging.getLogger("distributed.client").error("a message of Dask's")
    raise ValueError
run.lloyd = failing
{PROGRAM}
"""


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
def test_what_dask_logs_is_shown_with_debug_alone(noise: list[str], debug: bool) -> None:
    process = program(*noise, *["--debug"] * debug, code=FAILING)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert [text in said for text in ("a message of Dask's", "Traceback")] == [debug, debug], said


HELD = f"""
import time
from steinhaus.study import run
run.lloyd = lambda *given, **options: time.sleep(3600)
{PROGRAM}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "latest"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGTERM, 1)], ids=["INT", "TERM", "later"]
)
def test_a_signal_to_a_command_and_its_workers_is_one_sentence(
    noise: list[str], tmp_path: Path, sent: signal.Signals, latest: float
) -> None:
    """A terminal sends Ctrl-C to all of them; whoever sends SIGTERM names one.

    A study on workers begins with imports. It comes at the first moment, or up to `latest` seconds later.
    """
    process = program(*noise, code=HELD, mark=str(tmp_path), process_group=0)
    worked(process, tmp_path / "study")
    time.sleep(random.uniform(0, latest))
    (os.killpg if sent == signal.SIGINT else os.kill)(process.pid, sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent], said
    workers, *sentence = said.strip().splitlines()
    assert workers.startswith("2 workers with")
    assert " ".join(sentence).startswith("Stopped. Finished work is kept in")
    assert " ".join(sentence).endswith("give the same command again.")
    assert alive(str(tmp_path)) == []
