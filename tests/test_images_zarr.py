"""Zarr stores: version 2 and 3, folders and other stores, in memory and on disk; errors name the damage."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

zarr = pytest.importorskip("zarr", reason="needs the extra `zarr`")

import numcodecs  # noqa: E402

from steinhaus.errors import DataError  # noqa: E402
from steinhaus.images import Images, Limits, open_images  # noqa: E402
from steinhaus.images.stored import StoredPixels  # noqa: E402


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 256, (100, 6, 5)).astype(np.uint8)


def saved(path, pixels, labels=None, *, chunk=30, **options):
    """A store with an array, or a group of one and labels."""
    options = {"chunks": (chunk, *pixels.shape[1:]), "shape": pixels.shape, "dtype": pixels.dtype, **options}
    if labels is None:
        array = zarr.create_array(path, config={"write_empty_chunks": True}, **options)
    else:
        group = zarr.open_group(path, mode="w", zarr_format=options.pop("zarr_format", 3))
        array = group.create_array("pixels", config={"write_empty_chunks": True}, **options)
        group.create_array("labels", data=np.asarray(labels), chunks=(len(labels),))
    array[:] = pixels
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("stored", [False, True])
def test_arrays_and_groups(tmp_path, pictures, version, stored, rng):
    labels = rng.integers(3, 6, 100)
    plain = open_images(saved(tmp_path / "a.zarr", pictures, zarr_format=version), stored=stored)
    named = open_images(saved(tmp_path / "b.zarr", pictures, labels, zarr_format=version), stored=stored)
    assert isinstance(plain.pixels, StoredPixels) == stored
    assert plain.sha256 == Images.from_arrays(pictures).sha256
    assert named.sha256 == Images.from_arrays(pictures, labels).sha256
    assert named.label_names == ("3", "4", "5")
    assert (plain.name, plain.shape, plain.full_scale) == ("a", (6, 5), 255.0)


def test_what_stays_stored_is_read_where_it_is_asked_for(tmp_path, pictures):
    images = open_images(saved(tmp_path / "a.zarr", pictures), stored=True)
    split = images.split(0.6)
    order = split.train_index
    assert isinstance(split.train.pixels, StoredPixels)
    assert split.train.sha256 == Images.from_arrays(pictures[order]).sha256
    assert split.train.pixels[7].tolist() == pictures[order[7]].tolist()
    assert split.train.pixels[[1, 0]].tolist() == pictures[order[[1, 0]]].tolist()
    assert split.train.rows.shape == (60, 30)
    assert images.pixels[90:].tolist() == pictures[90:].tolist()


def test_over_the_limit_of_memory_pixels_stay_where_they_are(tmp_path, pictures):
    images = open_images(saved(tmp_path / "a.zarr", pictures), limits=Limits(memory=1000))
    assert isinstance(images.pixels, StoredPixels)
    with pytest.raises(DataError, match=r"limit is 1\.0 kB"):
        open_images(tmp_path / "a.zarr", limits=Limits(memory=1000), stored=False)


def test_sharded_stores_and_stores_elsewhere(tmp_path, pictures):
    saved(tmp_path / "s.zarr", pictures, chunk=10, shards=(50, 6, 5))
    assert open_images(tmp_path / "s.zarr", stored=True).sha256 == Images.from_arrays(pictures).sha256
    saved("memory://far/a.zarr", pictures)
    far = open_images("memory://far/a.zarr")
    assert far.sha256 == Images.from_arrays(pictures).sha256
    assert far.name == "a"


@pytest.mark.parametrize("version", [2, 3])
def test_a_missing_chunk_is_named(tmp_path, pictures, version):
    path = saved(tmp_path / "a.zarr", pictures, zarr_format=version)
    (path / ("c/2/0/0" if version == 3 else "2.0.0")).unlink()
    with pytest.raises(DataError, match=r"2.0.0, of images 60 to 89, is missing"):
        open_images(path)
    assert not open_images(path, missing=True).pixels[60:90].any()


def test_a_damaged_chunk_is_named(tmp_path, pictures):
    path = saved(tmp_path / "a.zarr", pictures, compressors=[zarr.codecs.Crc32cCodec()])
    chunk = path / "c/1/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-8] + bytes(8))
    images = open_images(path, stored=True)
    for read in (lambda: images.sha256, lambda: images.pixels[[5, 40]], lambda: open_images(path)):
        with pytest.raises(DataError, match="images 30 to 59 cannot be read"):
            read()


def test_a_value_that_is_not_finite_is_named(tmp_path, rng):
    x = rng.random((1000, 8)).astype(np.float32)
    x[703, 2] = np.nan
    with pytest.raises(DataError, match="image 703 has the value nan at 2"):
        open_images(saved(tmp_path / "a.zarr", x, chunk=1), stored=True)


def test_what_cannot_be_read_says_why(tmp_path, pictures):
    path = saved(tmp_path / "a.zarr", pictures, [1] * 100)
    with pytest.raises(DataError, match="no array 'faces'"):
        open_images(path, images="faces")
    with pytest.raises(DataError, match="dtype <i4"):
        open_images(saved(tmp_path / "b.zarr", pictures.astype(np.int32)), stored=True)
    (tmp_path / "c.zarr").mkdir()
    (tmp_path / "c.zarr" / "zarr.json").write_text("{")
    with pytest.raises(DataError, match="cannot be opened as a Zarr store"):
        open_images(tmp_path / "c.zarr")


@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_a_pickle_is_never_loaded(tmp_path, pictures, monkeypatch, place):
    """NumCodecs has a codec that unpickles; a store of version 2 may name it."""
    monkeypatch.setattr(pickle, "loads", lambda *_, **__: pytest.fail("a pickle was loaded"))
    path = saved(tmp_path / "a.zarr", pictures, np.arange(100), zarr_format=2)
    codec = {"id": "pickle", "protocol": 5}
    about = {"dtype": "|O", "fill_value": "", "compressor": None, "filters": [{"id": "vlen-utf8"}]}
    about[place] = codec if place == "compressor" else [{"id": "vlen-utf8"}, codec]
    old = json.loads((path / "labels/.zarray").read_text())
    (path / "labels/.zarray").write_text(json.dumps(old | about))
    (path / "labels/0").write_bytes(pickle.dumps(list("abc")))
    with pytest.raises(DataError, match="never loads them"):
        open_images(path)


BLOSC = {
    "2": {"zarr_format": 2, "compressors": numcodecs.Blosc()},
    "3": {"compressors": zarr.codecs.BloscCodec()},
    "3, in shards": {"compressors": zarr.codecs.BloscCodec(), "shards": (60, 6, 5)},
}


@pytest.mark.parametrize("kind", BLOSC)
@pytest.mark.parametrize("more", [1, 10**9])
def test_a_blosc_frame_that_is_shorter_than_it_declares_is_refused(tmp_path, pictures, kind, more):
    """Numcodecs would read past its end, and end the process."""
    path = saved(tmp_path / "a.zarr", pictures, **BLOSC[kind])
    assert open_images(path).pixels.tolist() == pictures.tolist()
    chunk = path / ("0.0.0" if kind == "2" else "c/0/0/0")
    frame = bytearray(chunk.read_bytes())
    frame[12:16] = (len(frame) + more).to_bytes(4, "little")
    chunk.write_bytes(frame)
    with pytest.raises(DataError, match=r"images 0 to [25]9 cannot be read: it does not end where it declares to end"):
        open_images(path)
    copy = pickle.loads(pickle.dumps(open_images(path, stored=True).pixels))  # as Dask's workers get it
    with pytest.raises(DataError, match="it does not end where it declares to end"):
        copy[:10]


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification")
def test_codecs_of_numcodecs_in_version_3_are_checked_too(tmp_path, pictures):
    codecs = pytest.importorskip("zarr.codecs.numcodecs", reason="zarr before 3.1.3 has none")
    path = saved(tmp_path / "a.zarr", pictures, compressors=codecs.Zstd())
    assert open_images(path).pixels.tolist() == pictures.tolist()
    (path / "c/0/0/0").write_bytes((path / "c/0/0/0").read_bytes() + b"\x28")
    with pytest.raises(DataError, match="it does not end where it declares to end"):
        open_images(path)


@pytest.mark.parametrize("version", [2, 3])
def test_codecs_outside_our_arrays_stay_as_they_are(tmp_path, pictures, version):
    path = saved(tmp_path / "a.zarr", pictures, zarr_format=version)
    before = numcodecs.Zstd.decode, zarr.open(path).compressors, dict(numcodecs.registry.codec_registry)
    open_images(path)
    assert (numcodecs.Zstd.decode, zarr.open(path).compressors, dict(numcodecs.registry.codec_registry)) == before


def test_zstandard_frames_end_where_the_chunk_ends(tmp_path, pictures):
    """Numcodecs would wait for the rest of another frame without end, and nothing could stop it."""
    path = saved(tmp_path / "a.zarr", pictures, chunk=100, compressors=zarr.codecs.ZstdCodec(checksum=True))
    chunk = path / "c/0/0/0"
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    rows = pictures.tobytes()  # in two frames that don't say how much they hold
    frames = [
        b"\x28\xb5\x2f\xfd\0\x58" + (1 | len(part) << 3).to_bytes(3, "little") + part for part in (rows[:50], rows[50:])
    ]
    for data in (chunk.read_bytes(), b"".join(frames), b"".join([frames[0], skipped, frames[1]])):
        chunk.write_bytes(data)
        assert open_images(path).pixels.tolist() == pictures.tolist()
        for end in (b"\x28", skipped[:1], skipped[:9], frames[1][:-1], frames[1][:8]):
            chunk.write_bytes(data + end)
            with pytest.raises(DataError, match="it does not end where it declares to end"):
                open_images(path)


def declared(path, **about):
    """The store whose array of pixels says this of itself."""
    file = path / "pixels/zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | about))
    return path


def test_sizes_that_are_declared_are_held_against_limits_first(tmp_path, pictures):
    grid = {"name": "regular", "configuration": {"chunk_shape": [1 << 40, 6, 5]}}
    path = declared(saved(tmp_path / "a.zarr", pictures, np.arange(100)), chunk_grid=grid)
    with pytest.raises(DataError, match=r"a chunk would take .* of memory, but the limit is"):
        open_images(path)
    path = declared(saved(tmp_path / "b.zarr", pictures, np.arange(100)), shape=[1 << 60, 6, 5])
    with pytest.raises(DataError, match=r"the chunk c/4/0/0, of images 120 to 149, is missing"):
        open_images(path)
    path = declared(saved(tmp_path / "c.zarr", pictures, np.arange(100)), shape=[])
    with pytest.raises(DataError, match=r"cannot be read|holds no images"):
        open_images(path)


def test_labels_that_are_not_there_are_not_asked_for_one_by_one(tmp_path, pictures, monkeypatch):
    path = saved(tmp_path / "a.zarr", pictures, np.arange(100))
    file = path / "labels/zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"shape": [1 << 20]}))
    with monkeypatch.context() as patched:
        patched.setattr(zarr.Array, "__getitem__", lambda *_: pytest.fail("they were read"))
        with pytest.raises(DataError, match="1,048,576 labels for 100 images"):
            open_images(path)
        saved(tmp_path / "b.zarr", np.zeros((1100, 2), np.uint8), np.zeros(1100), chunk=1100)
        group = zarr.open_group(tmp_path / "b.zarr", mode="a")
        group.create_array("labels", shape=(1100,), chunks=(1,), dtype=np.int64, overwrite=True)
        with pytest.raises(DataError, match=r"over 1,000 of the 1,100 chunks of its labels are missing"):
            open_images(tmp_path / "b.zarr")
    assert not open_images(tmp_path / "b.zarr", missing=True).labels.any()


@pytest.mark.parametrize("about", [[1], {"complete": 1, "full_scale": "x"}, {"complete": 1, "label_names": [1]}])
def test_what_is_said_of_the_pixels_is_checked(tmp_path, pictures, about):
    path = saved(tmp_path / "a.zarr", pictures, np.arange(100))
    zarr.open_group(path, mode="a").attrs["steinhaus"] = about
    with pytest.raises(DataError, match="its attribute 'steinhaus'"):
        open_images(path)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    "about", [{"full_scale": -1}, {"full_scale": 10**400}, {"given_train": 0}, {"given_train": 100}]
)
def test_what_is_said_of_the_pixels_is_held_against_them(tmp_path, pictures, about, stored):
    path = saved(tmp_path / "a.zarr", pictures, np.arange(100))
    zarr.open_group(path, mode="a").attrs["steinhaus"] = {"complete": True, **about}
    with pytest.raises(DataError, match=next(iter(about))):
        open_images(path, stored=stored)
