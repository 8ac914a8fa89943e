"""Downloads: a local server plays every kind of mirror. Only the right file gets its name."""

import errno
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from pictures import digits, idx
from steinhaus.errors import DataError
from steinhaus.images import catalogue, open_images
from steinhaus.images.download import DownloadError, Patience, fetch
from steinhaus.images.known import KnownFile

CONTENT = idx(digits(50, 28, 28))
FILE = KnownFile("some-images-idx3-ubyte", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
QUICK = Patience(connect=2, read=0.3, whole=2)


def answer(body=b"", status=200, **headers):
    """A mirror that always answers so."""

    def reply(handler):
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def first_then(*replies):
    """A mirror that answers differently each time."""
    waiting = iter(replies)

    def reply(handler):
        next(waiting)(handler)

    return reply


def stall(handler):
    """Half an answer, then silence."""
    answer(gzip.compress(CONTENT)[:1000], Content_Length="100000")(handler)
    time.sleep(0.6)


def trickle(handler):
    """An answer that never stops, a little at a time."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x" * 300_000)
        time.sleep(0.02)


GOOD = answer(gzip.compress(CONTENT))
RAW = answer(CONTENT)


@contextmanager
def mirrors(**replies):
    """A server whose folders are mirrors; yields their addresses by name and the list of folders asked, as they are."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.split("/")[1]
            asked.append(name)
            try:
                replies[name](self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield {name: f"http://127.0.0.1:{server.server_port}/{name}/" for name in replies}, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(folder, addresses, file=FILE, **options):
    options = {"patience": QUICK, "_plain_hosts": ("127.0.0.1",), **options}
    return fetch(file, folder, list(addresses.values()), **options)


SENT_COMPRESSED = answer(gzip.compress(CONTENT), Content_Encoding="gzip")  # compressed on the way only


@pytest.mark.parametrize(("reply", "suffix"), [(GOOD, ".gz"), (RAW, ""), (SENT_COMPRESSED, "")])
def test_a_good_answer_takes_the_name(tmp_path, reply, suffix):
    heard = []
    with mirrors(good=reply) as (addresses, _):
        path = get(tmp_path / "new" / "folder", addresses, progress=lambda *step: heard.append(step))
    assert path == tmp_path / "new/folder" / (FILE.name + suffix)
    np.testing.assert_array_equal(open_images(path).pixels, digits(50, 28, 28))
    assert os.listdir(path.parent) == [path.name]
    assert heard[-1][0] == f"Downloading {FILE.name}"
    assert heard[-1][1] >= path.stat().st_size
    assert heard[-1][3] == "bytes"


BAD = {
    "500": (answer(b"sorry", 500), "500 Server Error"),
    "404": (answer(b"<html>", 404), "404 Client Error"),
    "page": (answer(b"<!DOCTYPE html><html>log in</html>"), "it has 34 bytes of content, not"),
    "wrong hash": (answer(gzip.compress(CONTENT[:-1] + b"!")), "its sha256 is"),
    "cut content": (answer(gzip.compress(CONTENT[:-1])), "bytes of content, not"),
    "cut gzip": (answer(gzip.compress(CONTENT)[:-9]), "it is cut short"),
    "short body": (answer(gzip.compress(CONTENT)[:-9], Content_Length="39999"), "IncompleteRead"),
    "nothing": (answer(b""), "it has 0 bytes of content"),
    "bomb": (answer(gzip.compress(bytes(3_000_000))), "bytes of content, not"),
    "endless": (trickle, "the answer is longer than"),
    "stalled": (stall, "timed out"),
    "redirect to http": (answer(b"", 302, Location="http://example.org/x"), "only https is asked"),
    "redirect to a file": (answer(b"", 302, Location="file:///etc/passwd"), "only https is asked"),
    "redirect in a circle": (answer(b"", 302, Location="?again"), "Exceeded 30 redirects"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_mirror_is_passed_over(tmp_path, bad):
    with mirrors(bad=BAD[bad][0], good=GOOD) as (addresses, asked):
        path = get(tmp_path, addresses)
    assert set(asked) == {"bad", "good"}
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("bad", BAD)
def test_no_good_mirror_is_an_error_that_says_why_and_leaves_nothing(tmp_path, bad):
    reply, fragment = BAD[bad]
    with mirrors(bad=reply) as (addresses, _), pytest.raises(DownloadError) as caught:
        get(tmp_path, addresses)
    assert f"{FILE.name} could not be downloaded. {addresses['bad']}{FILE.name}.gz: " in str(caught.value)
    assert fragment in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_mirror_is_asked_again(tmp_path):
    with mirrors(one=first_then(answer(b"", 500), GOOD)) as (addresses, asked):
        get(tmp_path, addresses)
    assert asked == ["one", "one"]


def test_a_redirect_is_followed(tmp_path):
    with mirrors(moved=first_then(answer(b"", 302, Location="/good/x.gz")), good=GOOD) as (addresses, asked):
        get(tmp_path, {"moved": addresses["moved"]})
    assert asked == ["moved", "good"]


def test_a_slow_answer_is_given_up(tmp_path):
    large = KnownFile(FILE.name, 10**9, FILE.sha256)
    with mirrors(slow=trickle) as (addresses, _), pytest.raises(DownloadError, match="it took too long"):
        get(tmp_path, addresses, large, patience=Patience(2, 2, 0.2))


def test_no_server_is_not_asked_again(tmp_path):
    with mirrors(one=GOOD) as (addresses, _):
        pass
    with pytest.raises(DownloadError, match="the connection failed"):
        get(tmp_path, addresses)


@pytest.mark.parametrize(
    "address", ["http://example.org/", "ftp://example.org/", "file:///tmp/", "http://127.0.0.1:1/"]
)
def test_https_only(tmp_path, address):
    with pytest.raises(DownloadError, match="only https is asked"):
        fetch(FILE, tmp_path, [address])


def test_every_mirror_of_the_catalogue_is_https():
    assert len(catalogue.MNIST.mirrors) >= 2
    assert all(address.startswith("https://") and address.endswith("/") for address in catalogue.MNIST.mirrors)


@pytest.mark.parametrize("when", ["it writes", "it flushes"])
def test_full_disk(tmp_path, monkeypatch, when):
    if when == "it writes":
        make = tempfile.mkstemp

        def on_a_full_disk(**options):
            handle, path = make(**options)
            os.dup2(full := os.open("/dev/full", os.O_WRONLY), handle)
            os.close(full)
            return handle, path

        monkeypatch.setattr(tempfile, "mkstemp", on_a_full_disk)
    else:

        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
    with (
        mirrors(good=GOOD) as (addresses, asked),
        pytest.raises(DownloadError, match="No space left on device"),
    ):
        get(tmp_path, addresses, patience=Patience(connect=2, read=10, whole=20))
    assert asked == ["good"]
    assert os.listdir(tmp_path) == []


def test_a_download_is_on_disk_before_it_takes_its_name_and_its_name_is_on_disk_too(tmp_path, monkeypatch):
    """No test can cut the power; the order of the calls is what keeps a file through it."""
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, call=call, name=name: (calls.append(name), call(*args))[1])
    with mirrors(good=GOOD) as (addresses, _):
        get(tmp_path, addresses)
    assert calls == ["fsync", "replace", "fsync"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="cannot be made: Not a directory"):
        fetch(FILE, tmp_path / "file" / "x", ["https://example.org/"])


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with mirrors(good=GOOD) as (addresses, _), pytest.raises(KeyboardInterrupt):
        get(tmp_path, addresses, progress=interrupt)
    assert os.listdir(tmp_path) == []


def test_many_at_once_do_no_harm(tmp_path):
    with mirrors(good=GOOD) as (addresses, _), ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: get(tmp_path, addresses), range(16)))
    assert set(paths) == {tmp_path / f"{FILE.name}.gz"}
    assert os.listdir(tmp_path) == [paths[0].name]


FETCHING = """
import sys
from pathlib import Path
from steinhaus.images.download import fetch
from steinhaus.images.known import KnownFile
folder, name, size, sha256, *mirrors = sys.argv[1:]
print(fetch(KnownFile(name, int(size), sha256), Path(folder), mirrors, _plain_hosts=("127.0.0.1",)))
"""


def test_two_processes_at_once_do_no_harm(tmp_path):
    """The server answers neither before both have asked."""
    both = threading.Barrier(2)

    def together(handler):
        both.wait(timeout=60)
        GOOD(handler)

    arguments = [tmp_path, FILE.name, FILE.size, FILE.sha256]
    with mirrors(one=together) as (addresses, asked):
        command = [sys.executable, "-c", FETCHING, *map(str, arguments), addresses["one"]]
        there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=there) for _ in range(2)]
        said = [process.communicate(timeout=90)[0].strip() for process in running]
    assert asked == ["one", "one"]
    assert said == [str(tmp_path / f"{FILE.name}.gz")] * 2
    assert os.listdir(tmp_path) == [f"{FILE.name}.gz"]
    np.testing.assert_array_equal(open_images(said[0]).pixels, digits(50, 28, 28))


# The catalogue, with a small set in MNIST's place


@pytest.fixture
def small_set(tmp_path, monkeypatch):
    """MNIST as a set of a few pictures, its cache an empty folder; yields the replies of its mirrors."""
    parts = {"train": digits(30, 28, 28, seed=1), "t10k": digits(20, 28, 28, seed=2)}
    contents = {}
    for name, pixels in parts.items():
        contents[f"{name}-images-idx3-ubyte"] = idx(pixels)
        contents[f"{name}-labels-idx1-ubyte"] = idx(np.arange(len(pixels), dtype=np.uint8) % 10)

    def reply(handler):
        name = handler.path.split("/")[-1].removesuffix(".gz")
        answer(gzip.compress(contents[name]))(handler)

    files = tuple(KnownFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items())
    monkeypatch.delenv("STEINHAUS_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda _: tmp_path / "cache")
    monkeypatch.setattr(
        "steinhaus.images.download.fetch",
        lambda *arguments, **options: fetch(*arguments, **options, patience=QUICK, _plain_hosts=("127.0.0.1",)),
    )
    with mirrors(bad=answer(b"", 500), good=reply) as (addresses, asked):
        known = catalogue.MNIST
        small = replace(known, n=50, files=files, mirrors=tuple(addresses.values()))
        monkeypatch.setattr(catalogue, "MNIST", small)
        monkeypatch.setitem(catalogue.KNOWN, "mnist", small)
        yield contents, asked


def test_a_set_is_downloaded_once_and_then_found(small_set, tmp_path):
    _, asked = small_set
    assert not catalogue.data_status()[0].ready
    images = open_images("mnist")
    assert (images.n, images.given_train, images.name, images.licence) == (50, 30, "mnist", "CC BY-SA 3.0")
    assert asked.count("good") == 4
    assert catalogue.data_status()[0].where == str(tmp_path / "cache/mnist")
    assert open_images("mnist").sha256 == images.sha256
    assert asked.count("good") == 4


def test_only_what_is_missing_or_damaged_is_fetched(small_set, tmp_path):
    contents, asked = small_set
    expected = open_images("mnist").sha256
    cache = tmp_path / "cache/mnist"
    asked.clear()
    (cache / "t10k-labels-idx1-ubyte.gz").unlink()
    assert open_images("mnist").sha256 == expected
    assert asked.count("good") == 1
    (cache / "train-images-idx3-ubyte").write_bytes(b"damaged, and found first")
    assert open_images("mnist").sha256 == expected
    assert asked.count("good") == 2
    assert sorted(os.listdir(cache)) == sorted(f"{name}.gz" for name in contents)
    open_images("mnist")
    assert asked.count("good") == 2


def test_downloads_can_be_forbidden(small_set):
    with pytest.raises(catalogue.NotAvailableError, match="Downloads are switched off"):
        open_images("mnist", download=False)
    assert small_set[1] == []


def test_folders_of_ones_own_come_first(small_set, tmp_path, monkeypatch):
    contents, asked = small_set
    for place, plain in (("data/mnist", "-"), ("other", ".")):
        for name, data in contents.items():
            path = tmp_path / place / name.replace("-idx", f"{plain}idx")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    monkeypatch.setenv("STEINHAUS_DATA", str(tmp_path / "data"))
    assert open_images("mnist").n == 50
    assert open_images("mnist", data=tmp_path / "other").n == 50
    assert catalogue.data_status(tmp_path / "other")[0].where == str(tmp_path / "other")
    assert asked == []


def test_other_sets_under_the_same_names_are_refused(small_set, tmp_path):
    contents, asked = small_set
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data[:-1] + b"!" if "t10k-images" in name else data)
    with pytest.raises(
        DataError, match=r"t10k-images-idx3-ubyte is not MNIST's.*its sha256 is.*give its folder as the source"
    ):
        open_images("mnist", data=tmp_path)
    assert asked == []
    assert open_images(tmp_path).n == 50


def test_what_was_tried_is_told(small_set, tmp_path, monkeypatch):
    contents, _ = small_set
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train-images-idx3-ubyte").write_bytes(contents["train-images-idx3-ubyte"])
    monkeypatch.setattr(catalogue, "MNIST", replace(catalogue.MNIST, mirrors=("http://127.0.0.1:9/",)))
    with pytest.raises(catalogue.NotAvailableError) as caught:
        open_images("mnist", data=tmp_path / "data")
    message = str(caught.value)
    assert f"{tmp_path / 'data/mnist'} (no such folder)" in message
    assert (
        f"{tmp_path / 'data'} (no train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte)" in message
    )
    assert "the connection failed" in message
    assert "STEINHAUS_DATA or --data" in message
