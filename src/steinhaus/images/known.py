"""The known sets: their files, digests, licences and sources."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class KnownFile:
    """A file of a known set; size and sha256 are those of its expanded content."""

    name: str
    size: int
    sha256: str = ""  # "": the publisher gives none
    md5: str = ""  # of the published gzip file; "": the publisher gives none

    def fault(self, size: int, sha256: str) -> str | None:
        """What is wrong with content of this size and digest; None if nothing is."""
        if size != self.size:
            return f"it has {size:,} bytes of content, not {self.size:,}"
        if self.sha256 and sha256 != self.sha256:
            return f"its sha256 is {sha256}, not {self.sha256}"
        return None


@dataclass(frozen=True)
class KnownSet:
    """A set that you open by name. A set without files comes with a package."""

    name: str
    title: str
    n: int
    shape: tuple[int, ...]
    labels: int
    licence: str
    source: str
    files: tuple[KnownFile, ...] = ()  # images and labels of the training part, then of the test part
    train: float | None = None  # the share of images that the set's published study trains on
    transpose: bool = False  # whether images are stored by columns
    folders: tuple[str, ...] = ()  # sub-folders in which other programs put the files
    mirrors: tuple[str, ...] = ()  # tried in this order; each holds every file, gzip-compressed


MNIST = KnownSet(
    name="mnist",
    title="MNIST: handwritten digits",
    n=70_000,
    shape=(28, 28),
    labels=10,
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
    files=(
        KnownFile(
            "train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        KnownFile(
            "train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        KnownFile(
            "t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        KnownFile("t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    train=0.6,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

DIGITS = KnownSet(
    name="digits",
    title="Digits: the 8 x 8 digits that come with scikit-learn",
    n=1_797,
    shape=(8, 8),
    labels=10,
    licence="CC BY 4.0",
    source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits (test part), UCI, doi:10.24432/C50P49",
    train=0.6,
)


def _idx(
    prefix: str, parts: dict[str, int], md5: tuple[str, ...] = (), labels: str = "idx1-ubyte"
) -> tuple[KnownFile, ...]:
    """The files of a set of 28 x 28 images: for each part, images and labels."""
    each = 32 if labels == "idx2-int" else 1  # bytes per label
    head = 12 if labels == "idx2-int" else 8
    files = []
    for part, n in parts.items():
        files.append(KnownFile(f"{prefix}{part}-images-idx3-ubyte", 16 + 784 * n))
        files.append(KnownFile(f"{prefix}{part}-labels-{labels}", head + each * n))
    return tuple(replace(file, md5=digest) for file, digest in zip(files, md5 or [""] * len(files), strict=True))


FASHION = KnownSet(
    name="fashion-mnist",
    title="Fashion-MNIST: articles of clothing",
    n=70_000,
    shape=(28, 28),
    labels=10,
    licence="MIT",
    source="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv:1708.07747",
    files=_idx("", {"train": 60_000, "t10k": 10_000}, (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
    )),
    folders=("FashionMNIST/raw", "fashion"),
)  # fmt: skip

KMNIST = KnownSet(
    name="kmnist",
    title="KMNIST: ten cursive Japanese characters",
    n=70_000,
    shape=(28, 28),
    labels=10,
    licence="CC BY-SA 4.0",
    source="T. Clanuwat and others: KMNIST, CODH, doi:10.20676/00000341",
    files=_idx("", {"train": 60_000, "t10k": 10_000}, (
        "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134",
    )),
    folders=("KMNIST/raw",),
)  # fmt: skip

QMNIST = KnownSet(
    name="qmnist",
    title="QMNIST: MNIST made again from NIST's digits",
    n=120_000,
    shape=(28, 28),
    labels=10,
    licence="BSD-style",
    source="C. Yadav, L. Bottou: Cold Case: the Lost MNIST Digits, arXiv:1905.10498",
    files=_idx("qmnist-", {"train": 60_000, "test": 60_000}, (
        "ed72d4157d28c017586c42bc6afe6370", "0058f8dd561b90ffdd0f734c6a30e5e4",
        "1394631089c404de565df7b7aeaf9412", "5b5b05890a5e13444e108efe57b788aa",
    ), "idx2-int"),
    folders=("QMNIST/raw",),
)  # fmt: skip

_EMNIST = {  # images to train and to test, classes
    "balanced": (112_800, 18_800, 47), "byclass": (697_932, 116_323, 62), "bymerge": (697_932, 116_323, 47),
    "digits": (240_000, 40_000, 10), "letters": (124_800, 20_800, 26), "mnist": (60_000, 10_000, 10),
}  # fmt: skip

EMNIST = tuple(
    KnownSet(
        name=f"emnist-{kind}",
        title=f"EMNIST {kind}: handwritten characters",
        n=train + test,
        shape=(28, 28),
        labels=classes,
        licence="public domain (NIST)",
        source="G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST, arXiv:1702.05373",
        files=_idx(f"emnist-{kind}-", {"train": train, "test": test}),
        transpose=True,
        folders=("emnist", "EMNIST/raw", "gzip"),
    )
    for kind, (train, test, classes) in _EMNIST.items()
)

KNOWN = {known.name: known for known in (MNIST, DIGITS, FASHION, KMNIST, QMNIST, *EMNIST)}
