"""The fuzz targets: every reader of Steinhaus, with good inputs and mutations that know the format."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import safetensors.numpy
from PIL import Image

from fuzz import containers, mutations
from fuzz.mutations import Mutation
from pictures import archive, digits, idx, npy, png16
from steinhaus import KMeans, MiniBatchKMeans, SphericalKMeans, saving
from steinhaus.errors import SteinhausError
from steinhaus.images import Limits, open_images
from steinhaus.images.stored import StoredPixels
from steinhaus.signed import pack
from steinhaus.study import assignments, load, schema
from steinhaus.study.lock import Lock
from steinhaus.study.store import Folder
from study_cases import run

MEMORY = 16 << 20  # bytes; what a reader may take is twice that
LIMITS = Limits(memory=MEMORY, picture=250_000, ratio_free=1 << 20, line=1 << 20)
CORPUS = Path(__file__).parent.parent / "corpus"


@dataclass(frozen=True)
class Target:
    """A reader that anything may be fed to."""

    name: str
    seeds: tuple[bytes, ...]
    mutations: tuple[Mutation, ...]
    read: Callable[[bytes], None]  # raises what the reader raises
    decoders_ask: bool = False  # another package's decoder asks for the memory that damaged data declare; refused then

    def feed(self, data: bytes) -> bool:
        """Read; whether it was accepted. Only Steinhaus' own errors are kept in, and none that hides want of memory."""
        try:
            self.read(data)
        except SteinhausError as error:
            if isinstance(error.__cause__ or error.__context__, MemoryError) and not self.decoders_ask:
                raise AssertionError("it asked for too much memory") from error
            return False
        return True

    def inputs(self, rng: Random) -> Any:
        """Endless inputs: a seed, changed once or a few times, by whichever mutation."""
        seeds = [*self.seeds, *(path.read_bytes() for path in self.corpus())]
        while True:
            data = rng.choice(seeds)
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                try:
                    data = rng.choice(self.mutations)(rng, data)
                except Exception:  # what an earlier change left is no longer of the format
                    data = mutations.anywhere(rng, data)
            yield data

    def corpus(self) -> list[Path]:
        """What once went wrong, or nearly."""
        return sorted(CORPUS.glob(f"{self.name}-*"))


@functools.cache
def place() -> Path:
    """A folder for inputs, in memory where the system has one there."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="steinhaus-fuzz-", dir=memory if memory.is_dir() else None))


def clean() -> None:
    """Remove it again."""
    shutil.rmtree(place(), ignore_errors=True)
    for made in (place, study):
        made.cache_clear()


def image_source(name: str, file: str, seeds: list[bytes], *special: Mutation) -> Target:
    """A target that is a file of images."""
    path = place() / file

    def read(data: bytes) -> None:
        path.write_bytes(data)
        look_at_images(path)

    return Target(name, tuple(seeds), (mutations.anywhere, *special), read)


def look_at_images(path: Path) -> None:
    """Open a source, and look at its images; those of a large set may stay where they are stored."""
    images = open_images(path, limits=LIMITS)
    assert images.n > 0
    if isinstance(images.pixels, StoredPixels):
        assert images.n == len(images.pixels)
        assert np.isfinite(images.pixels[[0, -1]]).all()
    else:
        assert images.pixels.nbytes <= MEMORY
        assert np.isfinite(images.pixels).all()


def zarr_target() -> Target:
    """A Zarr store, of which one file is not as it was written."""
    store = containers.ZarrFolder(place() / "zarr")
    return Target(
        "zarr",
        tuple(store.seeds()),
        (containers.within(mutations.anywhere), containers.zarr_json),
        lambda data: store.read(data, look_at_images),
        decoders_ask=True,
    )


def picture(form: str, **options: Any) -> list[bytes]:
    """The same small picture in grey and colour, and a palette where the form has one."""
    rng, out = np.random.default_rng(0), []
    for image in (
        Image.fromarray(rng.integers(0, 256, (9, 7), dtype=np.uint8)),
        Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)),
        Image.fromarray(rng.integers(0, 4, (6, 6), dtype=np.uint8)).convert("P" if form in ("PNG", "BMP") else "L"),
    ):
        file = io.BytesIO()
        image.save(file, form, **options)
        out.append(file.getvalue())
    return out


def tiff_seeds() -> list[bytes]:
    """TIFF files: of each mode, of 16 bits, compressed, and of several pages."""
    seeds = [*picture("TIFF"), *picture("TIFF", compression="tiff_lzw"), *picture("TIFF", compression="tiff_deflate")]
    pages, deep = io.BytesIO(), io.BytesIO()
    few = [Image.fromarray(array) for array in digits()]
    few[0].save(pages, "TIFF", save_all=True, append_images=few[1:])
    Image.fromarray(digits().astype(np.uint16)[0] * 257).save(deep, "TIFF")
    return [*seeds, pages.getvalue(), deep.getvalue()]


def deep_pngs() -> list[bytes]:
    """PNG files of 16 bits a sample, in grey and colour, with and without transparency."""
    files = place() / "deep"
    kinds = [(0, None), (2, None), (4, None), (6, None), (0, 0x8000), (2, 0x8000)]
    return [
        png16(files / f"{n}.png", kind, range(0, 65536, 9999), transparent=clear).read_bytes()
        for n, (kind, clear) in enumerate(kinds)
    ]


def matlab_seeds() -> list[bytes]:
    """MATLAB files as SVHN has them, compressed and not, and one of rows."""
    from scipy.io import savemat

    seeds = []
    arrays = {"X": np.moveaxis(digits(6, 4, 3), 0, -1), "y": np.arange(6)[:, None]}
    for squeezed in (False, True):
        file = io.BytesIO()
        savemat(file, arrays, do_compression=squeezed)
        seeds.append(file.getvalue())
    return seeds


def cifar_seeds() -> list[bytes]:
    """Records of CIFAR-10 and of CIFAR-100."""
    rng = np.random.default_rng(0)
    return [
        np.concatenate([np.arange(3)[:, None]] * labels + [rng.integers(0, 256, (3, 3072))], axis=1)
        .astype(np.uint8)
        .tobytes()
        for labels in (1, 2)
    ]


def vector_seeds(dtype: str) -> list[bytes]:
    """An fvecs or a bvecs file."""
    rows = digits().reshape(6, 12).astype(dtype)
    return [b"".join((12).to_bytes(4, "little") + row.tobytes() for row in rows)]


def zip_of(**members: np.ndarray) -> bytes:
    """An .npz archive."""
    return archive(place() / "seed.npz", [(f"{name}.npy", npy(array)) for name, array in members.items()]).read_bytes()


@functools.cache
def study(state: str) -> Path:
    """The folder of a study: "whole", or "cut" while its runs were active."""
    folder = place() / state

    def stop(event: Any) -> None:
        if event.name == "checkpointed" and event.active < 4:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run(out=folder, watch=stop if state == "cut" else None)
    return folder


def study_file(state: str, name: str, read: Callable[[Path], None], *special: Mutation, target: str) -> Target:
    """A target that is a file of a study's folder."""
    folder = study(state)
    path = folder / name
    good = path.read_bytes()

    def read_folder(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read(folder)
        finally:
            path.write_bytes(good)

    return Target(target, (good,), (mutations.anywhere, *special), read_folder)


def look(folder: Path) -> None:
    """All that `steinhaus show` does with a study, and what Python code asks of it."""
    result = load(folder)
    result.table()
    for best in result.best:
        result.centroids(best.k)
        result.run_centroids(best.k)


def draw(folder: Path) -> None:
    """All that `steinhaus report` does with a study, but the drawing of figures."""
    from steinhaus.report import from_result, render

    assert "<html" in render(from_result(load(folder)))


def sign_document(content: Any) -> bytes:
    """study.json, its checksum mended."""
    content.pop("sha256", None)
    return json.dumps({**content, "sha256": schema._checksum(content)}).encode()


def signed_tensors(rng: Random, data: bytes) -> bytes:
    """What a run, a checkpoint or a model says of itself, its checksum mended; or one of its arrays."""
    arrays = {name: np.array(array) for name, array in safetensors.numpy.load(data).items()}
    about = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["steinhaus"])
    about.pop("sha256")
    if rng.random() < 0.5:
        return pack(arrays, mutations.value(rng, about))
    name = rng.choice(list(arrays))
    flat = arrays[name].reshape(-1)
    if rng.random() < 0.5:
        flat[rng.randrange(flat.size)] = rng.choice((0, -1, 1, 2**30))
        if flat.dtype.kind == "f" and rng.random() < 0.5:
            flat[rng.randrange(flat.size)] = rng.choice((np.nan, np.inf, 1e308, -1e308))
    else:
        with np.errstate(all="ignore"):
            arrays[name] = flat[: rng.randrange(flat.size + 1)].astype(rng.choice(("f8", "i8", "f4", "u1")))
    return pack(arrays, about)


def model_target() -> Target:
    """A fitted estimator in a file; one that is accepted can predict."""
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    path = place() / "model.safetensors"
    seeds = []
    for model in (KMeans(3, init=x[:3]), MiniBatchKMeans(3, random_state=0), SphericalKMeans(3, random_state=0)):
        model.fit(x).save(path)
        seeds.append(path.read_bytes())

    def read(data: bytes) -> None:
        path.write_bytes(data)
        model = saving.load(path)
        if model.n_features_in_ == x.shape[1]:
            model.predict(x)
        repr(model)

    special = (mutations.safetensors, signed_tensors)
    return Target("model", tuple(seeds), (mutations.anywhere, *special), read)


def assignments_target() -> Target:
    """The table of a study. Its checksum stands in study.json, so that only whoever changes both gets this far."""
    result = load(study("whole"))
    good = (study("whole") / "assignments.csv").read_bytes()

    def read(data: bytes) -> None:
        with contextlib.suppress(ValueError):  # `Folder.assignments` makes it a StoreError
            assignments.decode([data[:9], data[9:]], result.record.data, (2, 4))

    return Target("assignments", (good,), (mutations.anywhere, mutations.table), read)


def lock_target() -> Target:
    """The lock file that another process left."""
    folder = place() / "locked"
    folder.mkdir(exist_ok=True)

    def read(data: bytes) -> None:
        (folder / ".lock").write_bytes(data)
        with Lock(folder):
            pass

    seeds = (b'{"pid": 4321, "host": "elsewhere"}\n', b'{"pid": 1, "host": ""}')
    return Target(
        "lock", seeds, (mutations.anywhere, mutations.signed_json(lambda tree: json.dumps(tree).encode())), read
    )


def targets() -> list[Target]:
    """Every reader."""
    whole, signed = load(study("whole")), mutations.signed_json(sign_document)
    cut = Folder.find(study("cut"))
    few, floats, six = digits(), digits().astype(np.float32), np.arange(6)
    csv = [
        b"label,a,b\n1,2,3\n4,5,6\n",
        b"1,2.5,-3\n4,5,6e2\n",
        b"x;1;2\ny;3;4\n",
        b'"a","b"\n1,2\n',
        b'id,name,b\n1,"x, y",2\n2,z,5\n',
        b"a  b   c\n1 2  3\n 4 5 6\n",
        b"when,a,kind\n2024-01-02,1.5,x\n2024-01-03,2,y\n",
    ]
    squares = [b",".join(b"%d" % (i % 10) for i in range(17)) + b"\n" + b",".join(b"%d" % i for i in range(17))]
    return [
        image_source("idx", "x", [idx(few), idx(few.astype(np.float64)), idx(few.reshape(6, 12))], mutations.idx),
        image_source(
            "idx.gz", "x.gz", [gzip.compress(idx(few), mtime=0)], mutations.in_gzip(mutations.idx),
            mutations.in_gzip(mutations.anywhere),
        ),
        image_source("csv", "x.csv", csv + squares, mutations.table),
        image_source("csv.gz", "x.csv.gz", [gzip.compress(csv[0], mtime=0)], mutations.in_gzip(mutations.table)),
        image_source("npy", "x.npy", [npy(few), npy(np.asfortranarray(floats))], mutations.npy),
        image_source(
            "npz", "x.npz",
            [zip_of(images=few, labels=six), zip_of(x_train=few, y_train=six, x_test=few, y_test=six)],
            mutations.zipped(mutations.npy), mutations.zipped(mutations.anywhere),
        ),
        image_source("png", "x.png", [*picture("PNG"), *deep_pngs()], mutations.png),
        replace(image_source("tiff", "x.tif", tiff_seeds()), decoders_ask=True),
        image_source("cifar", "x.bin", cifar_seeds()),
        image_source("fvecs", "x.fvecs", vector_seeds("<f4")),
        image_source("bvecs", "x.bvecs", vector_seeds("u1")),
        image_source(
            "jsonl", "x.jsonl", [b'{"v": [1, 2.5], "label": "a"}\n{"v": [3, 4], "label": "b"}\n', b"[1, 2]\n[3, 4]\n"],
            mutations.lines,
        ),
        image_source("matlab", "x.mat", matlab_seeds(), mutations.in_matlab(mutations.anywhere)),
        image_source("jpeg", "x.jpg", picture("JPEG")),
        image_source("webp", "x.webp", [*picture("WEBP"), *picture("WEBP", lossless=True)]),
        image_source("bmp", "x.bmp", picture("BMP")),
        study_file("whole", "study.json", look, signed, target="study.json"),
        study_file("whole", "study.json", draw, signed, target="report"),
        study_file(
            "whole", "runs/k002-r00.safetensors", lambda _: whole.centroids(2, 0) is None,
            mutations.safetensors, signed_tensors, target="run",
        ),
        study_file(
            "cut", "checkpoint.safetensors", lambda _: cut.checkpoint() and None,
            mutations.safetensors, signed_tensors, target="checkpoint",
        ),
        study_file("whole", "events.jsonl", lambda _: whole.seconds and None, mutations.lines, target="events"),
        assignments_target(),
        lock_target(),
        model_target(),
        image_source("tar", "x.tar", containers.tar_seeds(picture("PNG")), containers.tar),
        *(
            [
                replace(
                    image_source("parquet", "x.parquet", containers.parquet_seeds(picture("PNG")), containers.parquet),
                    decoders_ask=True,
                ),
                replace(image_source("arrow", "x.arrow", containers.arrow_seeds(picture("PNG"))), decoders_ask=True),
            ]
            if containers.installed("pyarrow") else []
        ),
        *([zarr_target()] if containers.installed("zarr") else []),
        *(
            [replace(image_source("hdf5", "x.h5", containers.hdf5_seeds(), containers.hdf5), decoders_ask=True)]
            if containers.installed("h5py") else []
        ),
    ]  # fmt: skip
