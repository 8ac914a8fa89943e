"""MNIST itself, if STEINHAUS_DATA names a folder that holds it."""

import os
from pathlib import Path

import numpy as np
import pytest

from steinhaus.images import data_status, open_images
from steinhaus.images.limits import Limits
from steinhaus.images.sniffing import identify

pytestmark = pytest.mark.skipif(
    not os.environ.get("STEINHAUS_DATA"), reason="STEINHAUS_DATA names no folder with MNIST"
)

# Images of each digit, 0 to 9, in MNIST's training and test part.
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture(scope="module")
def mnist():
    return open_images("mnist")


def test_is_the_mnist_that_everyone_knows(mnist):
    assert (mnist.n, mnist.shape, mnist.pixels.dtype, mnist.full_scale) == (70_000, (28, 28), np.uint8, 255)
    assert (mnist.name, mnist.given_train, mnist.licence) == ("mnist", 60_000, "CC BY-SA 3.0")
    assert mnist.label_names == tuple("0123456789")
    assert mnist.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(mnist.labels[:60_000]).tolist() == TRAIN_COUNTS
    assert np.bincount(mnist.labels[60_000:]).tolist() == TEST_COUNTS


def test_digest_is_pinned(mnist):
    """Folders of studies are named by it."""
    assert mnist.sha256 == "c3e620887e8a6ba1ecfcde6aec53eaa419c9d96cbdf825a46c0fc62eb52db4ba"


def test_published_split(mnist):
    split = mnist.split()
    assert (split.train.n, split.test.n) == (42_000, 28_000)
    assert split.train_index[:5].tolist() == [54271, 20558, 9022, 65373, 21559]
    given = mnist.split("given")
    assert np.bincount(given.train.labels).tolist() == TRAIN_COUNTS
    assert np.bincount(given.test.labels).tolist() == TEST_COUNTS


def test_its_folder_opens_as_any_other(mnist):
    folder = Path(data_status()[0].where)
    assert data_status()[0].ready
    assert identify(folder, Limits()) == "idx folder"
    assert open_images(folder).sha256 == mnist.sha256
