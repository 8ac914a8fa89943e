"""The cache of machine code: damaged files, full disks, and no folder at all."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import steinhaus

# Two modules of kernels: two files.
WORK = """
import numpy as np
from steinhaus import arithmetic
from steinhaus.engines import distances
one = np.ones((2, 2))
assert arithmetic.shift(0 * one, one) == 4.0
assert distances(0 * one, one, threads=1).tolist() == np.sqrt(2 * one).tolist()
"""
COMPILED = "steinhaus.jit.build.compiled"
REFUSED = (
    "import steinhaus.jit.build\ndef refuse(*_): raise AssertionError('compiled anew')\n" + f"{COMPILED} = refuse\n"
)
FULL = """
import errno, os
def replace(*_): raise OSError(errno.ENOSPC, "No space left on device")
os.replace = replace
"""


def started(code: str, folder: Path | None, *, before: Sequence[str] = (), **variables: str) -> subprocess.Popen[str]:
    """A process that runs some code with this folder for machine code; without one, with no home either.

    `before`: a command that runs the process.
    """
    unset = {"STEINHAUS_CACHE", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"HOME": os.devnull} if folder is None else {"STEINHAUS_CACHE": str(folder)}
    return subprocess.Popen(
        [*before, sys.executable, "-c", code],
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, folder: Path | None, **how: Any) -> str:
    """Run it to its end, which must be a good one; what it wrote to stderr."""
    process = started(code, folder, **how)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return told


def kept(folder: Path) -> dict[str, bytes]:
    """The files in a folder, all of them whole."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert all(hashlib.sha256(content[32:]).digest() == content[:32] for content in files.values())
    return files


def test_machine_code_is_kept_and_used_again(tmp_path):
    folder = tmp_path / "made" / "when needed"
    assert run(WORK, folder) == ""
    files = kept(folder)
    assert len(files) >= 2
    assert run(REFUSED + WORK, folder) == ""
    assert kept(folder) == files


@pytest.mark.parametrize(
    "damaged",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: os.urandom(len(whole)),
        lambda whole: b"",
        lambda whole: whole + b"x",
    ],
    ids=["cut short", "garbage", "empty", "too long"],
)
def test_a_damaged_file_is_compiled_anew(tmp_path, damaged):
    run(WORK, tmp_path)
    files = kept(tmp_path)
    for name, whole in files.items():
        (tmp_path / name).write_bytes(damaged(whole))
    assert run(WORK, tmp_path) == ""
    assert kept(tmp_path) == files


def test_a_full_disk_leaves_code_in_memory(tmp_path):
    told = run(FULL + WORK, tmp_path)
    assert told.count("RuntimeWarning") == 1
    assert f"{tmp_path}: No space left on device" in told
    assert "Set STEINHAUS_CACHE" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "variables",
    [{}, {"XDG_CACHE_HOME": os.devnull}, {"STEINHAUS_CACHE": f"{os.devnull}/kernels"}, {"NUMBA_CACHE_DIR": "/proc/x"}],
)
def test_without_a_folder_that_can_be_written_one_warning_names_the_variable(variables):
    told = run(WORK, None, **variables)
    assert told.count("RuntimeWarning") == 1
    assert "Set STEINHAUS_CACHE to a folder that can be written" in told
    assert os.devnull in told


def test_processes_may_compile_at_once(tmp_path):
    processes = [started(WORK, tmp_path) for _ in range(3)]
    for process in processes:
        assert process.communicate(timeout=120) == ("", "")
        assert process.returncode == 0
    files = kept(tmp_path)
    run(REFUSED + WORK, tmp_path)
    assert kept(tmp_path) == files


# Import, fit and predict, and no file is left that was opened to be written.
FIT = """
import os, sys
opened = []
def watch(event, about):
    if event == "open" and isinstance(about[0], str) and (about[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        opened.append(about[0])
sys.addaudithook(watch)
from steinhaus import KMeans
model = KMeans(2, init=[[0.0], [5.0]]).fit([[0.0], [1.0], [5.0]])
assert model.inertia_ == 0.5 and model.predict([[4.0]]).tolist() == [1]
assert not [path for path in opened if os.path.exists(path) and path != os.devnull], opened
"""
READS_ALL = 1 << 2  # CAP_DAC_READ_SEARCH: a process that has it may read every file


def another_user() -> list[str]:
    """A command that runs another with no right to write. Root becomes another user, who may read this Python."""
    if os.geteuid() != 0:
        return []
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if others_can_read(sys.base_prefix, sys.prefix, str(Path(steinhaus.__file__).parent)):
        return command
    allowed = re.search(r"^CapBnd:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if allowed is None or not int(allowed[1], 16) & READS_ALL:
        pytest.skip("other users cannot read this Python or this package, and root may not let them")
    return [*command, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def others_can_read(*paths: str) -> bool:
    """Whether other users can read these folders and go into them, from the root on."""
    resolved = [Path(path).resolve() for path in paths]
    return all(folder.stat().st_mode & 0o005 == 0o005 for path in resolved for folder in (path, *path.parents))


@pytest.mark.slow
def test_another_user_who_can_write_nowhere_can_fit():
    told = run(FIT, None, before=another_user())
    assert told.count("RuntimeWarning") == 1
    assert "STEINHAUS_CACHE" in told


AHEAD = """
import threading
import numpy as np
from steinhaus import arithmetic
from steinhaus.engines.exact.updating import update
from steinhaus.jit import build
threads, compiled = {}, build.compiled
def noted(module, bindings):
    threads.setdefault(module, []).append(threading.current_thread().name)
    return compiled(module, bindings)
build.compiled = noted
for _ in range(2):
    build.compile_ahead((update, ()))
assert arithmetic.shift(np.zeros((2, 2)), np.ones((2, 2))) == 4.0
update[()]
assert sorted(threads) == ["steinhaus.arithmetic", "steinhaus.engines.exact.updating"], threads
assert all(len(names) == 1 for names in threads.values()), threads
assert threads["steinhaus.engines.exact.updating"] == ["steinhaus compiler"], threads
"""


def test_each_module_is_compiled_once_by_whichever_thread_is_first(tmp_path):
    assert run(AHEAD, tmp_path) == ""
    assert len(kept(tmp_path)) == 2
    stored = (
        AHEAD.split("for _", maxsplit=1)[0] + "build.compile_ahead((update, ()))\nassert threading.active_count() == 1"
    )
    assert run(stored, tmp_path) == ""


FORKED = """
import os, signal, threading
from steinhaus import arithmetic
from steinhaus.engines.exact.updating import update
from steinhaus.jit import build
machine_code, begun, forked = build.machine_code, threading.Event(), threading.Event()
def held(text):
    begun.set()
    forked.wait()
    return machine_code(text)
build.machine_code = held
build.compile_ahead((update, ()))
begun.wait()
child = os.fork()
if not child:
    signal.alarm(60)
    build.machine_code = machine_code
    update[()]
    os._exit(0)
forked.set()
assert os.waitpid(child, 0)[1] == 0
update[()]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_the_child_of_a_fork_does_not_wait_for_its_parents_thread(tmp_path):
    run(FORKED, tmp_path)
