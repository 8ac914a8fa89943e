"""Images from arrays: what pixels and labels become, the digest, and the split."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictures import digits
from steinhaus.errors import DataError, PlanError
from steinhaus.images import Images


def test_uint8_is_neither_copied_nor_writable():
    pixels = digits()
    images = Images.from_arrays(pixels)
    assert np.shares_memory(images.pixels, pixels)
    assert np.shares_memory(images.rows, pixels)
    assert images.rows.shape == (6, 12)
    assert pixels.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 0


@pytest.mark.parametrize(
    ("given_values", "dtype", "full_scale"),
    [
        (np.array([[0, 255]], np.uint8), np.uint8, 255),
        (np.array([[False, True]]), np.uint8, 1),
        (np.array([[0, 255]], np.int64), np.uint8, 255),
        (np.array([[0, 65535]], np.uint16), np.float32, 65535),
        (np.array([[-1, 5]], np.int8), np.float32, 1),
        (np.array([[0, 2**24 + 1]], np.int64), np.float64, 1),
        (np.array([[0.5, 1]], np.float16), np.float32, 1),
        (np.array([[0.5, 1]], ">f4"), np.float32, 1),
        (np.array([[0.5, 1]], np.float64), np.float64, 1),
        ([[1, 2], [3, 4]], np.uint8, 255),
    ],
)
def test_every_dtype_becomes_one_of_three(given_values, dtype, full_scale):
    images = Images.from_arrays(given_values)
    assert images.pixels.dtype == dtype
    assert images.pixels.dtype.isnative
    assert images.full_scale == full_scale
    np.testing.assert_array_equal(images.pixels, np.asarray(given_values))


def test_shapes():
    assert Images.from_arrays(np.zeros((2, 5, 4, 1), np.uint8)).shape == (5, 4)
    assert Images.from_arrays(np.zeros((2, 5, 4, 3), np.uint8)).shape == (5, 4, 3)
    vectors = Images.from_arrays(np.zeros((2, 20)))
    assert vectors.shape == (20,)
    assert not vectors.is_image
    assert Images.from_arrays(np.zeros((2, 20)), shape=(4, 5)).shape == (4, 5)
    assert Images.from_arrays(np.asfortranarray(digits())).pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("pixels", "fragment"),
    [
        (np.zeros((0, 4)), "holds no images"),
        (np.zeros((4, 0)), "holds no images"),
        (np.zeros(4), "images are (n, height, width)"),
        (5, "holds no images"),
        (np.zeros((2, 2, 2, 2, 2)), "images are (n, height, width)"),
        (np.zeros((2, 2), complex), "real part"),
        (np.array([["a"]]), "not text"),
        (np.array([[None]]), "not Python objects"),
        ([[1, 2], [3]], "the same shape"),
        (np.zeros((2, 3, 8, 8)), "np.moveaxis(x, 1, -1)"),
        (np.zeros((2, 8, 8, 7)), "flatten"),
        (np.array([[0.0, np.nan]]), "image 0 has the value nan at [1]"),
        (np.array([[0.0, 1], [np.inf, 0]]), "image 1 has the value inf at [0]"),
    ],
)
def test_what_is_no_image_is_refused(pixels, fragment):
    with pytest.raises(DataError) as caught:
        Images.from_arrays(pixels)
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"full_scale": 0}, "full_scale"),
        ({"full_scale": float("nan")}, "full_scale"),
        ({"full_scale": float("inf")}, "full_scale"),
        ({"full_scale": 10**400}, "full_scale"),
        ({"shape": (5, 5)}, "do not fit the shape (5, 5)"),
        ({"shape": (-3, -4)}, "do not fit the shape"),
        ({"given_train": 0}, "given_train must be from 1 to 5"),
        ({"given_train": 6}, "given_train must be from 1 to 5"),
        ({"files": ["a"]}, "1 file names for 6 images"),
        ({"labels": [1, 2]}, "2 labels for 6 images"),
        ({"labels": np.eye(6)}, "argmax(axis=1)"),
        ({"labels": np.zeros((2, 2, 2))}, "one-dimensional"),
        ({"labels": [0.5] * 6}, "classes, whole numbers or names"),
        ({"labels": [None] * 6}, "classes, whole numbers or names"),
        ({"labels": [b"\xff"] * 6}, "not UTF-8"),
        ({"labels": np.full(6, 2**63, np.uint64)}, "too large"),
        ({"labels": [0, 1, 2, 0, 1, 2], "label_names": ["a", "b"]}, "integers from 0 to 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, fragment):
    with pytest.raises(DataError) as caught:
        Images.from_arrays(digits(), **options)
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        ([3, 1, 3, 10], ("1", "3", "10"), [1, 0, 1, 2]),
        ([[3], [1], [3], [10]], ("1", "3", "10"), [1, 0, 1, 2]),
        (["10", "9", "9", "-1"], ("-1", "9", "10"), [2, 1, 1, 0]),
        (["10", "9", "9", "b"], ("10", "9", "b"), [0, 1, 1, 2]),
        ([b"cat", b"ant", b"cat", b"cat"], ("ant", "cat"), [1, 0, 1, 1]),
        (np.array(["cat", "ant", "cat", "cat"], object), ("ant", "cat"), [1, 0, 1, 1]),
        ([1.0, 0.0, 1.0, 1.0], ("0", "1"), [1, 0, 1, 1]),
        ([True, False, True, True], ("0", "1"), [1, 0, 1, 1]),
    ],
)
def test_labels_become_indices_numbers_by_value_names_by_text(labels, names, indices):
    images = Images.from_arrays(np.zeros((4, 2)), labels)
    assert images.label_names == names
    assert images.labels.dtype == np.int64
    assert images.labels.tolist() == indices


def test_given_names_stand_even_where_a_label_is_absent():
    images = Images.from_arrays(np.zeros((2, 2)), [2, 0], label_names=["a", "b", "c"])
    assert images.label_names == ("a", "b", "c")
    assert images.labels.tolist() == [2, 0]


def test_digest_is_of_the_content_alone():
    pixels, labels = digits(), [0, 1, 0, 1, 0, 1]
    images = Images.from_arrays(pixels, labels, name="one")
    assert images.sha256 == Images.from_arrays(np.asfortranarray(pixels), labels, name="two").sha256
    others = [
        Images.from_arrays(pixels),
        Images.from_arrays(pixels, [1, 0, 0, 1, 0, 1]),
        Images.from_arrays(pixels, ["a", "b", "a", "b", "a", "b"]),
        Images.from_arrays(pixels.reshape(6, 12), labels),
        Images.from_arrays(pixels.astype(np.float32), labels),
        Images.from_arrays(pixels[::-1], labels),
    ]
    assert len({images.sha256, *(other.sha256 for other in others)}) == 7


def test_digest_is_pinned():
    """Study folders are named by it: it must not change between versions or machines."""
    images = Images.from_arrays(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), ["b", "a"])
    head = b'{"dtype": "|u1", "label_names": ["a", "b"], "shape": [2, 2, 3]}'
    labels = bytes([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert images.sha256 == hashlib.sha256(head + bytes(range(12)) + labels).hexdigest()


def test_published_fraction_is_exactly_42000():
    assert len(Images.from_arrays(np.zeros((70_000, 1), np.uint8)).split(0.6).train) == 42_000


@pytest.mark.parametrize("train", [0.29, 0.57, 0.58, 0.1, 0.7])
def test_fractions_are_decimal(train):
    """0.29 x 100 is 28.999999999999996 in floats, and 0.57 x 100 is 56.99999999999999."""
    split = Images.from_arrays(np.zeros((100, 1))).split(train)
    assert len(split.train) == round(100 * train)


def test_split_is_pinned():
    split = Images.from_arrays(np.zeros((8, 1))).split(0.5, seed=3)
    assert (split.train_index.tolist(), split.test_index.tolist()) == ([0, 1, 2, 7], [6, 5, 4, 3])


@given(n=st.integers(1, 60), seed=st.integers(0, 2**70), data=st.data())
def test_a_split_is_a_reproducible_partition(n, seed, data):
    train = data.draw(st.integers(1, n) | st.integers(1, 1000).map(lambda thousandths: thousandths / 1000))
    pool = Images.from_arrays(np.arange(n, dtype=np.float64)[:, None], np.arange(n) % 3)
    count = train if isinstance(train, int) else int(Fraction(round(1000 * train), 1000) * n)
    if count == 0:
        with pytest.raises(PlanError, match="leaves none to train on"):
            pool.split(train, seed)
        return
    split, again = pool.split(train, seed), pool.split(train, seed)
    assert len(split.train) == count
    np.testing.assert_array_equal(split.train_index, again.train_index)
    np.testing.assert_array_equal(split.test_index, again.test_index)
    assert sorted([*split.train_index.tolist(), *split.test_index.tolist()]) == list(range(n))
    parts = [(split.train, split.train_index)] + ([(split.test, split.test_index)] if split.test else [])
    assert (split.test is None) == (count == n)
    for part, index in parts:
        np.testing.assert_array_equal(part.pixels, pool.pixels[index])
        np.testing.assert_array_equal(part.labels, pool.labels[index])
        assert part.label_names == pool.label_names


def test_seeds_differ():
    pool = Images.from_arrays(np.zeros((50, 1)))
    assert pool.split(0.5, seed=0).train_index.tolist() != pool.split(0.5, seed=1).train_index.tolist()


def test_no_test_part_means_nothing_is_moved_or_copied():
    pool = Images.from_arrays(digits())
    split = pool.split(1.0)
    assert split.train is pool
    assert split.test is None
    assert split.train_index.tolist() == list(range(6))


def test_given_split_keeps_the_order_of_the_source():
    pool = Images.from_arrays(digits(), given_train=4, files=list("abcdef"))
    split = pool.split("given")
    assert split.train_index.tolist() == [0, 1, 2, 3]
    assert split.test.files == ("e", "f")
    assert split.test.given_train is None


@pytest.mark.parametrize("train", [0, -1, 7, 0.0, -0.5, 1.5, float("nan"), True, "half", 0.1])
def test_trains_that_are_none_are_refused(train):
    with pytest.raises(PlanError, match="train"):
        Images.from_arrays(digits()).split(train)


def test_a_source_without_a_split_says_so():
    with pytest.raises(PlanError, match="no split of its own"):
        Images.from_arrays(digits()).split("given")


@pytest.mark.parametrize("seed", [-1, 0.5, "a", True])
def test_seeds_are_whole_numbers(seed):
    with pytest.raises(PlanError, match="seed must be a whole number"):
        Images.from_arrays(digits()).split(0.5, seed)


def test_repr_is_short():
    assert repr(Images.from_arrays(digits(), [0, 1] * 3, name="x")) == "Images('x': 6 of 4 x 3, uint8, 2 labels)"
