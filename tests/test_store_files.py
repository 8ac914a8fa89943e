"""Every file system call may fail: the folder is then in its old or its new state, and the same command resumes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from failing import FailingOs, RecordingOs
from killing import bytes_of
from steinhaus.cli import main
from steinhaus.errors import StoreError
from steinhaus.report import write_report
from steinhaus.study import Study, files, load
from study_cases import blobs, content, run


def small(folder: Path) -> None:
    """Two runs, one of which ends first."""
    run(blobs(20), folder, study=Study(k=(2,), restarts=2, max_iter=4, seed=1))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("reference")
    small(folder)
    return content(folder)


@pytest.mark.parametrize(
    "failures",
    [
        ("EIO", "ENOSPC", "crash"),
        *(pytest.param((failure,), marks=pytest.mark.slow) for failure in ("EIO", "ENOSPC", "crash")),
    ],
    ids="-".join,
)
def test_the_nth_call_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, bytes], failures: tuple[str, ...]
) -> None:
    messages: list[str] = []
    for n in range(1, 1000):
        folder = tmp_path / f"n-{n}"
        failing = FailingOs(n, failures[n % len(failures)])
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", failing)
            try:
                small(folder)
            except StoreError as error:
                messages.append(str(error))
            except KeyboardInterrupt:
                assert failing.failure == "crash"
        if failing.failed is None:
            assert n > 80
            break
        if (folder / "study.json").exists():
            result = load(folder)
            result.table()
            assert not result.record.complete or content(folder).items() >= reference.items()
        small(folder)
        assert content(folder) == reference, f"call {n}, {failing.failed}"
    else:
        raise AssertionError("the study never came to its end")
    assert len(messages) > 50 or failures == ("crash",)
    for message in messages:
        assert str(tmp_path) in message, "the message names the file"
        assert "Input/output error" in message or "No space left on device. Free some space" in message
        assert "same command again" in message


@pytest.mark.parametrize(("n", "failure"), [(3, "ENOSPC"), (20, "EIO"), (60, "ENOSPC"), (98, "EIO")])
def test_a_command_whose_nth_call_fails_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], n: int, failure: str
) -> None:
    np.savez(tmp_path / "x.npz", images=blobs(20).pixels, labels=blobs(20).labels)
    command = ["study", str(tmp_path / "x.npz"), "--k", "2", "--restarts", "2", "--threads", "1", "--quiet", "--out"]
    assert main([*command, str(tmp_path / "alone")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(files, "os", failing := FailingOs(n, failure))
        assert main([*command, str(tmp_path / "study")]) == 1
    assert failing.failed is not None
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("Error: Cannot ")
    assert str(tmp_path / "study") in said
    assert "same command again" in said
    assert main([*command, str(tmp_path / "study")]) == 0
    assert bytes_of(tmp_path / "study") == bytes_of(tmp_path / "alone")


def test_the_nth_call_of_a_report_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be written leaves the old one, or none; the study is not touched."""
    small(tmp_path)
    result, study = load(tmp_path), content(tmp_path)
    page, named = tmp_path / "pages" / "report.html", 0
    for n in range(1, 100):
        failing = FailingOs(n, ("EIO", "ENOSPC", "crash")[n % 3])
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", failing)
            try:
                write_report(result, page)
            except StoreError as error:
                named += str(page.parent) in str(error) and "same command again" in str(error)
            except KeyboardInterrupt:
                assert failing.failure == "crash"
        assert content(tmp_path).items() >= study.items()
        assert not page.exists() or page.read_bytes().rstrip().endswith(b"</html>")
        if failing.failed is None:
            assert n > 8
            assert named > 4
            return
        if n % 2:
            page.unlink(missing_ok=True)
    raise AssertionError("the report never came to its end")


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_killed_at_the_nth_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, bytes], step: int
) -> None:
    for n in range(1, 1000, step):
        folder = tmp_path / f"n-{n}"
        if (child := os.fork()) == 0:
            try:
                monkeypatch.setattr(files, "os", FailingOs(n, "SIGKILL"))
                small(folder)
                os._exit(0)
            finally:
                os._exit(1)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if ended == 0:
            assert n > 80
            return
        assert ended == -signal.SIGKILL
        if (folder / "study.json").exists():
            load(folder).table()
        small(folder)
        assert content(folder) == reference, f"call {n}"
    raise AssertionError("the study never came to its end")


def test_a_disk_that_takes_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, bytes]
) -> None:
    class SlowOs(FailingOs):
        def _counted(self, name: str, function: Any) -> Any:
            return (lambda fd, data: os.write(fd, data[:100])) if name == "write" else function

    monkeypatch.setattr(files, "os", SlowOs(0, ""))
    small(tmp_path)
    assert content(tmp_path) == reference


def test_a_write_is_the_old_file_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    for n in range(1, 100):
        path.write_bytes(b"old")
        with monkeypatch.context() as patch:
            failing = FailingOs(n, "EIO")
            patch.setattr(files, "os", failing)
            try:
                files.write(path, b"new and longer")
            except StoreError:
                assert path.read_bytes() in {b"old", b"new and longer"}
                left = {p.name for p in tmp_path.iterdir()} - {"file"}
                assert not left or failing.failed == "fstat", "whose file it is was not to be known"
        if failing.failed is None:
            return
    raise AssertionError("never without a failure")


def test_a_write_is_on_disk_before_it_takes_its_name_and_its_name_is_on_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test can cut the power; the order of the calls is what keeps a file through it."""
    recording = RecordingOs()
    monkeypatch.setattr(files, "os", recording)
    files.write(tmp_path / "file", b"new")
    assert recording.calls == ["write", "fsync", "replace", "fsync of the folder"]
    recording.calls.clear()
    files.append(tmp_path / "lines", b"one")
    assert recording.calls == ["write", "fsync"]
    recording.calls.clear()
    files.remove(tmp_path / "lines")
    assert recording.calls == ["unlink", "fsync of the folder"]
    recording.calls.clear()
    files.make_folder(tmp_path / "a" / "b")
    assert recording.calls == ["mkdir", "fsync of the folder"] * 2


def test_a_write_does_not_follow_a_link_in_its_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    files.temporary_name(tmp_path / "file").symlink_to(tmp_path / "precious")
    with pytest.raises(StoreError, match="Cannot write"):
        files.write(tmp_path / "file", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_lines_are_appended_and_a_torn_one_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    files.append(path, b"one")
    files.append(path, b"two")
    path.write_bytes(path.read_bytes()[:-2])
    files.append(path, b"three")
    assert path.read_bytes() == b"one\ntw\nthree\n"


def test_only_regular_files_of_reasonable_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="not a regular file"):
        files.read(tmp_path / "pipe", 10)
    with pytest.raises(StoreError, match="not a regular file"):
        files.read(tmp_path, 10)
    (tmp_path / "large").write_bytes(bytes(11))
    with pytest.raises(StoreError, match="11 bytes"):
        files.read(tmp_path / "large", 10)
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "none", 10)


def test_a_folder_whose_name_is_taken_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="there is a file of that name"):
        run(out=tmp_path / "file")
    with pytest.raises(StoreError, match=r"file: there is a file of that name"):
        run(out=tmp_path / "file" / "below")


def test_what_a_crash_left_is_swept_away(tmp_path: Path, reference: dict[str, bytes]) -> None:
    (tmp_path / "runs").mkdir()
    for name in (".study.json.tmp", "runs/.k002-r01.safetensors.tmp"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    small(tmp_path)
    assert content(tmp_path) == reference | {"notes.txt": b"mine"}
