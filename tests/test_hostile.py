"""Hostile sources and studies are refused by rule, in little time and memory. Nothing is run or changed.

`test_images_broken.py` has a message for each kind; here are their costs, the largest ones, and whole commands.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import steinhaus
from fuzz.containers import ZarrFolder, installed, parquet_seeds, tar_seeds
from fuzz.targets import sign_document
from pictures import archive, digits, idx, mnist_like, npy, npy_header, picture, png_that_declares, write
from steinhaus import KMeans
from steinhaus.cli import main
from steinhaus.errors import DataError, SteinhausError, StoreError
from steinhaus.images import Limits, files, open_images
from steinhaus.study import load
from study_cases import run

MEBIBYTE = 1 << 20
LIMITS = Limits(memory=32 * MEBIBYTE, ratio_free=MEBIBYTE)


def webp_that_declares(kind: bytes, width: int, height: int) -> bytes:
    """The first bytes of a WebP file, of each of its three kinds."""
    if kind == b"VP8X":
        body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + (width - 1 | (height - 1) << 14).to_bytes(4, "little") + bytes(9)
    else:
        body = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(10)
    chunk = kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def jpeg_that_declares(width: int, height: int) -> bytes:
    """A small JPEG whose frame declares a size."""
    good = io.BytesIO()
    Image.fromarray(digits()[0]).save(good, "JPEG")
    data = good.getvalue()
    place = data.index(b"\xff\xc0") + 5  # marker, length, bits of a sample
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def png_with_a_chunk_of(declared: int) -> bytes:
    """A PNG whose picture data declare more bytes than the file has."""
    good = io.BytesIO()
    Image.fromarray(digits()[0]).save(good, "PNG")
    data = good.getvalue()
    place = data.index(b"IDAT") - 4
    return data[:place] + struct.pack(">I", declared) + data[place + 4 : place + 14]


def tar_of(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, content: bytes = b"") -> bytes:
    """A tar file of one member, whose header declares a size."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    header = info.tobuf(tarfile.GNU_FORMAT)
    return header + content.ljust(-(-len(content) // 512) * 512, b"\0") + bytes(1024)


def zip_by(method: int, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr("images.npy", content)
    return out.getvalue()


def rows_of_zeros(n: int) -> bytes:
    """IDX of n million pixels, which gzip packs 1000 to 1."""
    return idx(np.zeros((n, 1000, 1000), np.uint8))


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "gzip of 1000 to 1": (lambda: gzip.compress(rows_of_zeros(60)), "decompression bomb"),
    "gzip that hides its size": (lambda: gzip.compress(b"1,2\n" * 3_000_000), "decompression bomb"),
    "gzip of gzip": (lambda: gzip.compress(gzip.compress(rows_of_zeros(30))), "no known format|gzip-compressed"),
    "gzip after gzip": (lambda: gzip.compress(idx(digits())) + gzip.compress(bytes(10**7)), "goes on after"),
    "a line without end": (lambda: b"1," * 10_000_000, "a line is longer"),
    "IDX of 2^63 bytes": (lambda: b"\0\0\x0e\4" + struct.pack(">4I", *[2**15] * 4) + bytes(99), "cut short"),
    "npy of 2^63 rows": (lambda: npy_header(shape=f"({2**63},)") + bytes(64), "cut short"),
    "npy of 2^31 bytes an item": (
        lambda: npy_header("'|S2147483647'", "(4294967296,)") + bytes(64),
        "declares the dtype",
    ),
    "npy header of 4 GB": (lambda: b"\x93NUMPY\2\0\xff\xff\xff\xff", "header of 4,294,967,295 bytes"),
    "npz of 1000 to 1": (lambda: zip_by(zipfile.ZIP_DEFLATED, npy(np.zeros((40, 1000, 1000), np.uint8))), "bomb"),
    "npz by LZMA": (lambda: zip_by(zipfile.ZIP_LZMA, npy(digits())), "compressed by a method that NumPy does not use"),
    "npz by bzip2": (
        lambda: zip_by(zipfile.ZIP_BZIP2, npy(digits())),
        "compressed by a method that NumPy does not use",
    ),
    "PNG of 51 megapixels": (lambda: png_that_declares(7200, 7200), "over the limit of 50,000,000"),
    "PNG of 2^62 pixels": (lambda: png_that_declares(2**31 - 1, 2**31 - 1), "declares more pixels|cannot be read"),
    "PNG chunk of 2 GB": (lambda: png_with_a_chunk_of(2**31 - 1), "cannot be read|truncated"),
    "JPEG of 51 megapixels": (lambda: jpeg_that_declares(7200, 7200), "over the limit of 50,000,000"),
    "WebP canvas": (lambda: webp_that_declares(b"VP8X", 2**14, 2**13), "over the limit of 50,000,000"),
    "WebP lossless": (lambda: webp_that_declares(b"VP8L", 2**13, 2**13), "over the limit of 50,000,000"),
    "WebP lossy": (lambda: webp_that_declares(b"VP8 ", 2**13, 2**13), "over the limit of 50,000,000"),
    "BMP of 2^62 pixels": (
        lambda: b"BM" + struct.pack("<IIIIiiHH", 99, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24) + bytes(80),
        "declares more pixels",
    ),
    "tar member of 2^62 bytes": (lambda: tar_of("x.png", size=2**62), "cannot be read|no pictures|larger than"),
    "tar name of 2^40 bytes": (lambda: tar_of("x", tarfile.GNUTYPE_LONGNAME, 2**40), "cannot be read|no pictures"),
    "tar pax header of 2^40 bytes": (lambda: tar_of("x", tarfile.XHDTYPE, 2**40), "cannot be read|no pictures"),
    "xz": (lambda: lzma.compress(bytes(100)), "Unpack it first"),
    "bzip2": (lambda: bz2.compress(bytes(100)), "Unpack it first"),
}

MEASURED = """
import resource, sys
from steinhaus.errors import DataError
from steinhaus.images import Limits, files, open_images
limits = Limits(memory=32 << 20, ratio_free=1 << 20)
for good in sys.argv[2:]:
    open_images(good, limits=limits)  # all that is imported on the way
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    open_images(sys.argv[1], limits=limits)
except DataError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_refused(tmp_path: Path, case: str) -> None:
    build, words = BOMBS[case]
    path = write(tmp_path / "x", build())
    began = time.process_time()
    with pytest.raises(DataError, match=words):
        open_images(path, limits=LIMITS)
    assert time.process_time() - began < 10  # a bomb that goes off takes minutes
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


@pytest.mark.slow
@pytest.mark.parametrize("case", BOMBS)
def test_bombs_take_little_memory(tmp_path: Path, case: str) -> None:
    """Measured in a process of its own, after good files of every kind have been opened."""
    path = write(tmp_path / "x", BOMBS[case][0]())
    good = [
        write(tmp_path / "good.idx.gz", idx(digits()), gz=True), write(tmp_path / "good.npy", npy(digits())),
        archive(tmp_path / "good.npz", [("x.npy", npy(digits()))]), write(tmp_path / "good.csv", b"1,2\n3,4\n"),
        *(picture(tmp_path / f"good.{form}", digits()[0]) for form in ("png", "webp", "bmp", "jpg")),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path, *good], capture_output=True, text=True, check=True, timeout=60
    )
    kilobytes, _ = done.stdout.split(maxsplit=1)
    assert int(kilobytes) * 1024 < 2 * LIMITS.memory


def test_limits_are_options_with_documented_defaults(tmp_path: Path) -> None:
    limits = Limits()
    assert (limits.memory, limits.picture, limits.ratio, limits.ratio_free, limits.line) == (
        8 << 30, 50_000_000, 200, 64 << 20, 16 << 20,
    )  # fmt: skip
    path = write(tmp_path / "x.gz", gzip.compress(rows_of_zeros(2)))
    with pytest.raises(DataError, match="raise the limit"):
        open_images(path, limits=LIMITS)
    assert open_images(path, limits=Limits(ratio=1100, ratio_free=MEBIBYTE)).n == 2


# Folders


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of three good pictures, and of everything that should not be in one."""
    folder = tmp_path / "pictures"
    for name, pixels in zip(("a", "b", "c"), digits(3, 6, 6), strict=True):
        picture(folder / f"{name}.png", pixels)
    write(folder / "bomb.png", png_that_declares(30_000, 30_000))
    write(folder / "canvas.webp", webp_that_declares(b"VP8X", 2**14, 2**13))
    write(folder / "chunk.png", png_with_a_chunk_of(2**31 - 1))
    write(folder / "cut.png", (folder / "a.png").read_bytes()[:40])
    write(folder / "text.jpg", b"not a picture")
    write(folder / "none.bmp", b"")
    os.mkfifo(folder / "fifo.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "passwords.png").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("..")
    return folder


def test_bad_pictures_are_listed_and_skipped(mixed: Path) -> None:
    images = open_images(mixed)
    assert images.files == ("a.png", "b.png", "c.png")
    assert {skipped.file for skipped in images.skipped} == {
        "bomb.png", "canvas.webp", "chunk.png", "cut.png", "text.jpg", "none.bmp", "fifo.png", "device.png",
        "passwords.png", "up",
    }  # fmt: skip
    assert all(len(skipped.reason) > 8 for skipped in images.skipped)
    with pytest.raises(DataError, match="strict stops at the first such file"):
        open_images(mixed, strict=True)


def test_links_that_are_followed_lead_to_no_device(mixed: Path) -> None:
    images = open_images(mixed, follow_links=True, labels=False)
    assert images.files is not None
    assert set(images.files) >= {"a.png", "b.png", "c.png"}
    reasons = {skipped.file: skipped.reason for skipped in images.skipped}
    assert "character device" in reasons["device.png"]
    assert "passwords.png" in reasons


# Nothing is unpickled or run


def never(*args: Any, **named: Any) -> Any:
    raise AssertionError("this must never be called on what was read")


def containers(folder: Path) -> list[Path]:
    """Sources that other packages read, as far as these are installed."""
    made = [write(folder / "x.tar", tar_seeds([picture(folder / "y.png", digits()[0]).read_bytes()])[0])]
    if installed("pyarrow"):
        made.append(write(folder / "x.parquet", parquet_seeds([b""])[0]))
    if installed("zarr"):
        ZarrFolder(folder / "zarr")
        made += sorted((folder / "zarr").iterdir())
    return made


def test_nothing_is_unpickled_or_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import _pickle
    import pickle

    import joblib

    folder = mnist_like(tmp_path / "set") and tmp_path / "set"
    model = tmp_path / "model"
    KMeans(2, random_state=0).fit(np.eye(4)).save(model)
    sources = [
        *containers(tmp_path),
        write(tmp_path / "x.npy", npy(digits())),
        archive(tmp_path / "x.npz", [("images.npy", npy(digits())), ("labels.npy", npy(np.arange(6)))]),
        write(tmp_path / "x.csv", b"label,a,b\n1,2,3\n4,5,6\n"),
        write(tmp_path / "x.idx.gz", idx(digits()), gz=True),
        *(picture(tmp_path / f"{form}/x.{form}", digits()[0]) for form in ("png", "jpg", "webp", "bmp")),
        folder,
    ]
    for source in sources:
        open_images(source)  # so that nothing is left to be imported
    run(out=tmp_path / "study")
    load(tmp_path / "study").labels(2)
    steinhaus.load(model)
    for module, names in {
        **dict.fromkeys((pickle, _pickle), ("load", "loads", "Unpickler")), joblib: ("load",), np: ("load",),
        os: ("system", "popen", "execv", "posix_spawn"), subprocess: ("Popen", "run"),
    }.items():  # fmt: skip
        for name in names:
            monkeypatch.setattr(module, name, never)
    if torch := sys.modules.get("torch"):
        monkeypatch.setattr(torch, "load", never)
    for source in sources:
        assert open_images(source).n > 0
    assert steinhaus.load(model).n_clusters == 2
    result = load(tmp_path / "study")
    assert result.table()
    assert result.centroids(2).shape == (2, 3, 4)
    assert len(result.labels(2)) == 36
    assert result.events()


def test_no_source_code_evaluates_shells_out_or_reads_yaml() -> None:
    import ast

    for path in Path(steinhaus.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        calls = {ast.unparse(node.func) for node in nodes}
        assert not calls & {"eval", "exec", "compile", "os.system", "os.popen"}, path
        assert not {call for call in calls if call.split(".")[0] in ("yaml", "pty", "commands")}, path
        started = [node.args[0] for node in nodes if ast.unparse(node.func).startswith("subprocess.")]
        program = "[sys.executable, '-P', '-m', __name__]"  # this very module, whatever was read
        assert {ast.unparse(node) for node in started} <= {program}, path
        assert "shell=True" not in path.read_text("utf-8"), path


# Studies made up by a stranger, with every checksum right


def made_up(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    run(out=folder)
    content = json.loads((folder / "study.json").read_bytes())
    change(content)
    (folder / "study.json").write_bytes(sign_document(content))
    return folder


STUDIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "2^60 restarts": lambda c: c["plan"].update(restarts=2**60),
    "2^60 restarts, unfinished": lambda c: (
        c["plan"].update(restarts=2**60) or c.update(complete=False, runs=[], best=[])
    ),
    "a plan with a hole": lambda c: c["plan"].pop("seed"),
    "a tolerance that no float holds": lambda c: c["plan"].update(tol=10**400),
    "images of no shape": lambda c: c["data"].update(shape=[]),
    "images of negative sides": lambda c: c["data"].update(shape=[-3, -4]),
    "no scale": lambda c: c["data"].update(full_scale=0.0),
    "a scale that no float holds": lambda c: c["data"].update(full_scale=10**400),
    "a scale that overflows": lambda c: c["data"].update(full_scale=5e-324),
    "2^60 images": lambda c: c["data"].update(n_train=2**60),
    "2^60 images, unfinished": lambda c: (
        c["data"].update(n_train=2**60, train_label_counts=None) or c.update(complete=False, runs=[], best=[])
    ),
    "sizes below 0": lambda c: c["runs"][0].update(sizes=[37, -1]),
    "inertia below 0": lambda c: c["runs"][0].update(final_inertia=-1.0),
    "another mapping": lambda c: c["best"][0].update(mapping=[0, 9]),
    "a cluster that there is not": lambda c: c["best"][0].update(ties=[7]),
    "accuracy above 1": lambda c: c["best"][0].update(train_accuracy=1.5),
    "a table of another size": lambda c: c["best"][0]["train"].update(confusion=[[36, 0, 0, 0, 0]]),
}


@pytest.mark.parametrize("case", STUDIES)
def test_a_study_that_cannot_be_is_refused_at_once(tmp_path: Path, case: str) -> None:
    folder = made_up(tmp_path, STUDIES[case])
    began = time.process_time()
    with pytest.raises(StoreError, match=r"study\.json is damaged or was changed"):
        load(folder)
    assert time.process_time() - began < 10  # a bomb that goes off takes minutes


def test_links_in_a_study_lead_nowhere_when_it_is_written(tmp_path: Path) -> None:
    """A folder from a stranger may hold links in the place of what will be written."""
    precious = write(tmp_path / "precious", b"precious")
    for name in ("events.jsonl", ".study.json.tmp", ".assignments.csv.tmp", ".checkpoint.safetensors.tmp", ".lock"):
        folder = tmp_path / f"study-{name}"
        folder.mkdir()
        (folder / name).symlink_to(precious)
        with contextlib.suppress(SteinhausError):  # what a crash may have left is swept away instead
            run(out=folder)
        assert precious.read_bytes() == b"precious"


def test_a_command_on_a_pipe_or_a_device_ends_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "fifo")
    for source in (tmp_path / "fifo", Path("/dev/zero")):
        guard = threading.Timer(10, os.kill, (os.getpid(), signal.SIGTERM))
        guard.start()
        assert main(["study", str(source), "--k", "2", "--out", str(tmp_path / "out")]) == 1
        guard.cancel()
        assert "only regular files are read" in " ".join(capsys.readouterr().err.split())


def test_memory_is_never_asked_for_before_it_is_checked(tmp_path: Path) -> None:
    """Under a cap of the system, headers that lie are still refused by our own rules."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 200 * MEBIBYTE, before[1]))
    try:
        for build in (
            BOMBS["PNG chunk of 2 GB"],
            BOMBS["WebP canvas"],
            BOMBS["npy of 2^63 rows"],
            BOMBS["IDX of 2^63 bytes"],
        ):
            with pytest.raises(DataError, match=build[1]):
                open_images(write(tmp_path / "x", build[0]()), limits=LIMITS)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.slow
def test_a_table_of_text_expands_within_its_limits(tmp_path: Path) -> None:
    """A gzip table of short lines: memory is asked about after every block."""
    text = zlib.compressobj(9, wbits=31)
    path = write(tmp_path / "x.csv.gz", text.compress(b"0.5,1\n" * 4_000_000) + text.flush())
    with pytest.raises(DataError, match="memory"):
        open_images(path, limits=Limits(memory=8 * MEBIBYTE, ratio=10_000))


@pytest.mark.parametrize("kind", ["csv", "tar", "list"])
def test_one_long_label_does_not_make_all_of_them_long(tmp_path: Path, kind: str) -> None:
    """NumPy's text gives each label the room of the longest: here 4 GB, and half of one in a tar file."""
    n, longest = (20_000, 50_000) if kind != "tar" else (400, 4000)
    names = ["b"] * n
    names[7] = "a" * longest
    if kind == "csv":
        source: Any = write(tmp_path / "x", "".join(f"{name},1\n" for name in names).encode())
    elif kind == "tar":
        data = picture(tmp_path / "x.png", digits()[0]).read_bytes()
        source = tmp_path / "x.tar"
        with tarfile.open(source, "w") as archive:
            for row, name in enumerate(names):
                for ending, content in (("png", data), ("cls", name.encode())):
                    info = tarfile.TarInfo(f"{row}.{ending}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    else:
        source = np.zeros((n, 1), np.uint8)
    open_images(source, **({"labels": names} if kind == "list" else {}))  # all that is imported on the way
    tracemalloc.start()
    images = open_images(source, **({"labels": names} if kind == "list" else {}))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images.label_names == ("a" * longest, "b")
    assert images.labels is not None
    assert images.labels.tolist() == [int(name == "b") for name in names]
    assert most < 30 * MEBIBYTE if kind != "tar" else most < 3 * MEBIBYTE


def test_labels_of_a_table_count_too(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "".join(f"{row:0500},1\nx,2\n" for row in range(20_000)).encode())
    with pytest.raises(DataError, match="memory"):
        open_images(path, labels="first", limits=Limits(memory=8 * MEBIBYTE))
    assert open_images(path, labels="first", limits=Limits(memory=16 * MEBIBYTE)).n == 40_000


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open one can wake it: a tape is wound back."""
    monkeypatch.setattr(files.os, "open", never)
    with pytest.raises(DataError, match="only regular files are read"), files.open_regular(Path("/dev/zero")):
        pass
