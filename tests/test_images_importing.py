"""Imports into Zarr: every kind of source, interrupted and resumed anywhere, also on full disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("zarr", reason="needs the extra `zarr`")

from steinhaus.cli import main
from steinhaus.errors import DataError
from steinhaus.images import Images, importing, open_images
from steinhaus.images.importing import import_images
from steinhaus.images.stored import StoredPixels


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(importing, "_CHUNK", 7 * 30)


@pytest.fixture
def pictures(tmp_path, rng):
    folder = tmp_path / "set"
    for row in range(40):
        path = folder / "ab"[row % 2] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 5)).astype(np.uint8)).save(path)
    (folder / "a" / "10.png").write_bytes(b"nothing")
    return folder


def files(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_a_folder_of_pictures(tmp_path, pictures):
    imported = import_images(pictures, tmp_path / "set.zarr")
    plain = open_images(pictures)
    assert isinstance(imported.pixels, StoredPixels)
    assert imported.sha256 == plain.sha256
    assert (imported.n, imported.name, imported.label_names) == (39, "set", ("a", "b"))
    assert [file.file for file in imported.skipped] == ["a/10.png"]
    assert not (tmp_path / "set.zarr.journal").exists()
    before = files(tmp_path / "set.zarr")
    import_images(pictures, tmp_path / "set.zarr")
    assert files(tmp_path / "set.zarr") == before


def test_a_picture_that_cannot_be_read_is_listed_or_stops(tmp_path, pictures, capsys, monkeypatch):
    os.mkfifo(pictures / "b" / "pipe.png")
    imported = import_images(pictures, tmp_path / "set.zarr")
    assert [file.file for file in imported.skipped] == ["b/pipe.png", "a/10.png"]
    assert main(["data", "import", str(pictures), str(tmp_path / "other.zarr"), "--quiet"]) == 0
    assert "2 files (b/pipe.png: is a named pipe (FIFO); a/10.png:" in " ".join(capsys.readouterr().err.split())
    for file in ("pipe.png is a named pipe", "10.png is not a PNG"):
        with pytest.raises(DataError, match=rf"{file}.*strict stops"):
            import_images(pictures, tmp_path / "strict.zarr", strict=True)
        (pictures / "b" / "pipe.png").unlink(missing_ok=True)
    assert main(["data", "import", str(pictures), str(tmp_path / "last.zarr"), "--strict", "--quiet"]) == 1
    (tmp_path / "strict.zarr.journal").unlink()
    put = importing._put
    monkeypatch.setattr(importing, "_put", lambda *arguments: put(*arguments) if arguments[1].rows < 14 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_images(pictures, tmp_path / "strict.zarr")
    with pytest.raises(DataError, match=r"10.png is not a PNG.*strict stops"):
        import_images(pictures, tmp_path / "strict.zarr", strict=True)
    monkeypatch.undo()
    (pictures / "a" / "10.png").unlink()
    assert import_images(pictures, tmp_path / "sound.zarr", strict=True).n == 39


@pytest.mark.parametrize("line", [b"[]", b"{}", b"nothing", b'{"taken": "1"}', b"\xff"])
def test_a_journal_that_is_damaged_says_so(tmp_path, pictures, line):
    (tmp_path / "x.zarr.journal").write_bytes(line + b"\n")
    with pytest.raises(
        DataError, match=r"x\.zarr\.journal (cannot be read as the journal|belongs to the import of another)"
    ):
        import_images(pictures, tmp_path / "x.zarr")


@pytest.mark.parametrize("source", ["digits", "array.npy"])
def test_other_sources(tmp_path, source, rng):
    np.save(tmp_path / "array.npy", rng.random((20, 9)).astype(np.float32))
    name = source if source == "digits" else tmp_path / source
    imported, plain = import_images(name, tmp_path / "x.zarr"), open_images(name)
    assert imported.sha256 == plain.sha256
    assert imported.full_scale == plain.full_scale


def test_names_of_classes_keep_their_order(tmp_path):
    names = ["zebra", "ant", "unused"]
    images = Images.from_arrays(np.eye(3), [1, 0, 1], label_names=names)
    importing._write_array(images, tmp_path / "x.zarr", "print", None)
    imported = open_images(tmp_path / "x.zarr")
    assert (imported.label_names, imported.labels.tolist()) == (tuple(names), [1, 0, 1])
    assert imported.sha256 == images.sha256


@pytest.mark.parametrize("stop", range(1, 6))
def test_stopped_after_any_chunk_it_goes_on(tmp_path, pictures, stop, monkeypatch):
    whole = tmp_path / "whole.zarr"
    import_images(pictures, whole)
    put, calls = importing._put, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == stop:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "x.zarr"))
        put(*arguments)

    monkeypatch.setattr(importing, "_put", failing)
    with pytest.raises(DataError, match=r"x\.zarr cannot be written: No space left on device.*resumes"):
        import_images(pictures, tmp_path / "x.zarr")
    with pytest.raises(DataError, match="unfinished import" if stop > 1 else "no array of images|unfinished"):
        open_images(tmp_path / "x.zarr")
    monkeypatch.undo()
    monkeypatch.setattr(importing, "_CHUNK", 7 * 30)
    decoded = []
    monkeypatch.setattr(importing, "pictures_of", _counting(importing.pictures_of, decoded))
    assert import_images(pictures, tmp_path / "x.zarr").sha256 == open_images(whole).sha256
    assert len(decoded) <= 40 - 7 * (stop - 1)
    assert files(tmp_path / "x.zarr") == files(whole)


@pytest.mark.parametrize(("stop", "left"), [(1, 5), (2, 4), (3, 3), (4, 2)])
def test_an_array_too_goes_on_where_its_import_stopped(tmp_path, rng, stop, left, monkeypatch):
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (25, 6, 5)).astype(np.uint8))
    whole = import_images(tmp_path / "x.npy", tmp_path / "whole.zarr")
    append, written = importing.append, []

    def full(lines, line):
        written.append(line)
        if len(written) == stop:
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "x.zarr.journal"))
        append(lines, line)

    monkeypatch.setattr(importing, "append", full)
    with pytest.raises(DataError, match=r"cannot be written: No space left.*resumes where this one stopped"):
        import_images(tmp_path / "x.npy", tmp_path / "x.zarr")
    written.clear()
    monkeypatch.setattr(importing, "append", lambda lines, line: (written.append(line), append(lines, line)))
    assert import_images(tmp_path / "x.npy", tmp_path / "x.zarr").sha256 == whole.sha256
    assert len(written) == left, "a line for the set and four for its chunks, but for those that were there"
    assert files(tmp_path / "x.zarr") == files(tmp_path / "whole.zarr")
    assert not (tmp_path / "x.zarr.journal").exists()


@pytest.mark.parametrize("how", ["size", "time", "array"])
def test_a_set_that_has_changed_is_not_gone_on_with(tmp_path, pictures, rng, how, monkeypatch):
    source, changed = pictures, pictures / "a" / "0.png"
    if how == "array":
        source = changed = tmp_path / "x.npy"
        np.save(source, rng.integers(0, 256, (25, 6, 5)).astype(np.uint8))
    append = importing.append
    monkeypatch.setattr(importing, "append", lambda lines, line: append(lines, line) if "set" in line else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_images(source, tmp_path / "x.zarr")
    monkeypatch.setattr(importing, "append", append)
    if how == "time":
        os.utime(changed, ns=(0, 0))
    else:
        Image.new("L", (6, 5)).save(changed) if how == "size" else np.save(changed, np.zeros((25, 6, 5), np.uint8))
    with pytest.raises(DataError, match="import of another set"):
        import_images(source, tmp_path / "x.zarr")


def _counting(function, calls):
    def counted(*arguments):
        for found in function(*arguments):
            calls.append(found)
            yield found

    return counted


def test_a_store_of_something_else_is_left_alone(tmp_path, pictures):
    import_images(pictures, tmp_path / "set.zarr")
    with pytest.raises(DataError, match="holds another set"):
        import_images("digits", tmp_path / "set.zarr")
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match="not a Zarr store"):
        import_images("digits", tmp_path / "notes")


def test_the_command(tmp_path, pictures, capsys):
    assert main(["data", "import", str(pictures), str(tmp_path / "set.zarr"), "--size", "4x4", "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.out == f"39 images, 4 x 4 uint8, in {tmp_path / 'set.zarr'}\n"
    assert "1 file (a/10.png" in told.err
    assert main(["data"]) == 0
    assert "mnist" in capsys.readouterr().out
