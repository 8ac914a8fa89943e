"""What is known of the sets that are opened by their name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFile:
    """A file as it must be: its content, gzip expanded."""

    name: str
    size: int
    sha256: str

    def fault(self, size: int, sha256: str) -> str | None:
        """What is wrong with content of this size and digest, if anything."""
        if size != self.size:
            return f"it has {size:,} bytes of content, not {self.size:,}"
        if sha256 != self.sha256:
            return f"its sha256 is {sha256}, not {self.sha256}"
        return None


@dataclass(frozen=True)
class KnownSet:
    """A set that is opened by its name. Without files it comes with a package."""

    name: str
    title: str
    n: int
    shape: tuple[int, ...]
    labels: int
    licence: str
    source: str
    files: tuple[KnownFile, ...] = ()  # images and labels of the training part, then of the test part
    train: float | None = None  # the share that the published study of the set trains on
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

KNOWN = {known.name: known for known in (MNIST, DIGITS)}
