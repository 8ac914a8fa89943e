"""A source's own split, from the names of folders, shards and arrays."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from pictures import digits, idx, mnist_like, picture, write
from steinhaus.errors import DataError, PlanError
from steinhaus.images import Images, open_images
from steinhaus.images.parts import part_in, part_of

GREY = digits(24, 6, 5)


def folder_of(root, *places):
    """Pictures in two class folders, a and b, in each of these folders."""
    for place in places:
        for row, label in enumerate("ab"):
            picture(root / place / label / "1.png", GREY[row])
    return root


def shown(images):
    """The sizes of train, val and test, and the names of labels."""
    if images.given_train is None:
        return None, images.label_names
    rest = images.n - images.given_train - images.given_val
    return (images.given_train, images.given_val, rest), images.label_names


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"), ("Training", "train"), ("train_set", "train"), ("TRAIN", "train"), ("x-train", "train"),
        ("val", "val"), ("valid", "val"), ("Validation", "val"), ("dev", "val"), ("val_images", "val"),
        ("test", "test"), ("Testing", "test"), ("t10k", "test"),
        ("trains", None), ("tester", None), ("bus", None), ("traintest", None), ("", None), ("1", None),
    ],
)  # fmt: skip
def test_folders_that_are_parts(name, part):
    assert part_of(name) == part


@pytest.mark.parametrize(
    ("name", "part"),
    [("train-00000-of-00001", "train"), ("cifar_test", "test"), ("dev.0", "val"), ("0000", None), ("train-test", None)],
)
def test_files_that_are_of_a_part(name, part):
    assert part_in(name) == part


@pytest.mark.parametrize(
    ("places", "sizes"),
    [
        (("train", "val", "test"), (2, 2, 2)),
        (("training", "validation", "testing"), (2, 2, 2)),
        (("train", "dev", "test"), (2, 2, 2)),
        (("train", "valid"), (2, 2, 0)),
        (("Train", "Test"), (2, 0, 2)),
        (("TRAIN", "VALIDATION"), (2, 2, 0)),
        (("data/train", "data/test"), (2, 0, 2)),
        (("a set/images/train", "a set/images/test"), (2, 0, 2)),
        (("train2017", "val2017"), (2, 2, 0)),
        (("train_1", "train_2", "test_1"), (4, 0, 2)),
        (("train", "eval"), (2, 2, 0)),
        (("trainval", "test"), (2, 0, 2)),
        (("Train", "Holdout"), (2, 0, 2)),
        (("split=train", "split=test"), (2, 0, 2)),
        (("a/b/c/train", "a/b/c/test"), (2, 0, 2)),
        (("train",), None),
        (("test",), None),
        (("val", "test"), None),
    ],
)
def test_split_folders_are_no_labels(tmp_path, places, sizes):
    images = open_images(folder_of(tmp_path, *places))
    assert shown(images) == (sizes, ("a", "b"))
    assert bool(images.notes) == (sizes is None)  # a source of one part says so


@pytest.mark.parametrize("others", [("unlabeled",), ("query", "gallery")])
def test_folders_of_labels_beside_a_training_part_are_refused(tmp_path, others):
    with pytest.raises(DataError, match=f"and other folders: {sorted(others)[0]}"):
        open_images(folder_of(tmp_path, "train", *others))


def test_a_split_below_each_label_is_one(tmp_path):
    for label in "ab":
        for part, count in (("train", 2), ("val", 1), ("test", 3)):
            for number in range(count):
                picture(tmp_path / label / part / f"{number}.png", GREY[number])
    images = open_images(tmp_path)
    assert shown(images) == ((4, 2, 6), ("a", "b"))
    assert [file.split("/")[1] for file in images.files] == ["train"] * 4 + ["val"] * 2 + ["test"] * 6
    assert open_images(tmp_path, labels="none").given_train == 4


def test_folders_that_lie_in_several_labels_are_said(tmp_path):
    images = open_images(folder_of(tmp_path, "fold1", "fold2"))
    assert images.label_names == ("fold1", "fold2")
    assert images.notes == ("Labels: the upper folders. The folders a, b lie in several of them, and are not labels.",)


def test_a_label_called_train_among_flat_ones_is_said(tmp_path):
    for label in ("train", "car"):
        picture(tmp_path / label / "1.png", GREY[0])
    images = open_images(tmp_path)
    assert images.label_names == ("car", "train")
    assert "The folder train is taken as a label" in images.notes[0]


def test_split_folders_of_one_class(tmp_path):
    for part in ("train", "test"):
        picture(tmp_path / part / "only/1.png", GREY[0])
    assert shown(open_images(tmp_path)) == ((1, 0, 1), ("only",))


def test_split_folders_without_classes(tmp_path):
    for part in ("train", "valid", "test"):
        picture(tmp_path / part / "1.png", GREY[0])
    assert shown(open_images(tmp_path)) == ((1, 1, 1), None)


def test_split_folders_with_an_empty_part(tmp_path):
    folder_of(tmp_path, "train", "val")
    (tmp_path / "test").mkdir()
    assert shown(open_images(tmp_path)) == ((2, 2, 0), ("a", "b"))


def test_a_class_called_train_among_others_is_a_class(tmp_path):
    for row, label in enumerate(("bus", "car", "train")):
        picture(tmp_path / label / "1.png", GREY[row])
    assert shown(open_images(tmp_path)) == (None, ("bus", "car", "train"))


def test_folders_beside_those_of_a_split_are_refused(tmp_path):
    folder_of(tmp_path, "train", "test", "unlabeled")
    with pytest.raises(DataError, match=r"named after the parts of a split, and other folders: unlabeled"):
        open_images(tmp_path)


def test_classes_that_are_numbered_tests_are_classes(tmp_path):
    for row, label in enumerate(("test1", "test2", "test3")):
        picture(tmp_path / label / "1.png", GREY[row])
    assert shown(open_images(tmp_path)) == (None, ("test1", "test2", "test3"))


def test_classes_below_one_folder_are_named_where_they_are_not_taken(tmp_path):
    images = open_images(folder_of(tmp_path, "images"))
    assert images.label_names == ("images",)
    assert "If the folders in it are labels (a, b, ...), open that folder" in images.notes[0]


def test_pictures_of_a_split_stand_in_its_order(tmp_path):
    images = open_images(folder_of(tmp_path, "test", "valid", "train"))
    assert [file.split("/")[0] for file in images.files] == ["train"] * 2 + ["valid"] * 2 + ["test"] * 2


# The validation part


@pytest.mark.parametrize(
    ("val", "train", "test"),
    [(None, [0, 1, 2], [3]), ("join", [0, 1, 2], [3]), ("leave", [0, 1], [3]), ("test", [0, 1], [2, 3])],
)
def test_the_validation_part_joins_or_is_left_or_tests(val, train, test):
    images = Images.from_arrays(digits(4), given_train=2, given_val=1)
    split = images.split("given", val=val)
    assert (split.train_index.tolist(), split.test_index.tolist()) == (train, test)
    assert split.test.n == len(test)


def test_without_a_test_part_validation_tests():
    images = Images.from_arrays(digits(4), given_train=3, given_val=1)
    assert images.split("given").test_index.tolist() == [3]
    assert images.split("given", val="join").test is None
    assert images.split("given", val="leave").test is None


def test_val_needs_a_validation_part_and_the_given_split():
    images = Images.from_arrays(digits(4), given_train=2)
    with pytest.raises(PlanError, match="no validation part"):
        images.split("given", val="join")
    with pytest.raises(PlanError, match=r'it needs train="given". Here train is 0.5'):
        images.split(0.5, val="leave")
    with pytest.raises(PlanError, match="val must be"):
        images.split("given", val="keep")


# Shards


def parquet(path, n, *, features=None, label="label"):
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = io.BytesIO()
    from PIL import Image

    Image.fromarray(GREY[0]).save(data, "PNG")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pictures = pa.array([{"bytes": data.getvalue(), "path": None}] * n, type=kind)
    table = pa.table({"image": pictures, label: [i % 2 for i in range(n)]})
    if features is not None:
        document = json.dumps({"info": {"features": features}}).encode()
        table = table.replace_schema_metadata({b"huggingface": document})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


NAMES = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}


@pytest.mark.parametrize(
    "files",
    [
        ("test-00000-of-00001.parquet", "train-00000-of-00001.parquet"),
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("Train.parquet", "Test.parquet"),
    ],
)
def test_parquet_shards_keep_their_split_and_the_names_of_classes(tmp_path, files):
    pytest.importorskip("pyarrow")
    for file in files:
        parquet(tmp_path / file, 4 if "est" in file else 6, features=NAMES)
    write(tmp_path / "README.md", b"# a set")
    images = open_images(tmp_path)
    assert shown(images) == ((6, 0, 4), ("cat", "dog"))
    assert images.split().train.n == 6  # the source's own split is the default


def test_parquet_shards_with_a_validation_part(tmp_path):
    pytest.importorskip("pyarrow")
    for part, n in (("test", 2), ("train", 6), ("validation", 3)):
        parquet(tmp_path / f"{part}-00000-of-00001.parquet", n)
    assert shown(open_images(tmp_path))[0] == (6, 3, 2)


def test_shards_of_no_part_beside_others_are_refused(tmp_path):
    pytest.importorskip("pyarrow")
    for file in ("train.parquet", "extra.parquet"):
        parquet(tmp_path / file, 2)
    with pytest.raises(DataError, match=r"train.parquet is named after a part of a split, but extra.parquet is not"):
        open_images(tmp_path)


def test_shards_of_two_sets_are_refused(tmp_path):
    pytest.importorskip("pyarrow")
    for file in ("en/train.parquet", "fr/train.parquet"):
        parquet(tmp_path / file, 2)
    with pytest.raises(DataError, match="more than one set, in the folders en, fr"):
        open_images(tmp_path)


def test_classes_by_a_name_of_their_own_and_several_columns_of_them(tmp_path):
    pytest.importorskip("pyarrow")
    fine = {"fine": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    parquet(tmp_path / "a.parquet", 4, features=fine, label="fine")
    assert open_images(tmp_path / "a.parquet").label_names == ("cat", "dog")


def tar(path, n):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    from PIL import Image

    Image.fromarray(GREY[0]).save(data, "PNG")
    with tarfile.open(path, "w") as archive:
        for row in range(n):
            for ending, body in (("png", data.getvalue()), ("cls", str(row % 2).encode())):
                info = tarfile.TarInfo(f"{row:04d}.{ending}")
                info.size = len(body)
                archive.addfile(info, io.BytesIO(body))


@pytest.mark.parametrize("places", ["{}-000000.tar", "data/{}-000000.tar", "{}/000000.tar"])
def test_tar_shards_keep_their_split(tmp_path, places):
    for part, n in (("test", 2), ("train", 4), ("val", 3)):
        tar(tmp_path / places.format(part), n)
    assert shown(open_images(tmp_path)) == ((4, 3, 2), ("0", "1"))


# Arrays


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        ("train_images train_labels val_images val_labels test_images test_labels", (4, 2, 3)),
        ("X_train Y_train X_test Y_test", (4, 0, 3)),
        ("x_train y_train x_valid y_valid x_test y_test", (4, 2, 3)),
        ("XTrain YTrain XTest YTest", (4, 0, 3)),
        ("trainX trainY testX testY", (4, 0, 3)),
        ("images_train labels_train images_dev labels_dev", (4, 2, 0)),
        ("TRAIN_DATA TRAIN_TARGETS TEST_DATA TEST_TARGETS", (4, 0, 3)),
    ],
)
def test_arrays_of_a_split_whatever_they_are_called(tmp_path, keys, sizes):
    lengths = {"train": 4, "val": 2, "test": 3}
    arrays = {}
    for place, key in enumerate(keys.split()):
        part = next(part for word, part in WORDS.items() if word in key.lower())
        n = lengths[part]
        arrays[key] = np.arange(n) % 2 if place % 2 else digits(n)
    np.savez(tmp_path / "x.npz", **arrays)
    assert shown(open_images(tmp_path / "x.npz")) == (sizes, ("0", "1"))


WORDS = {"train": "train", "val": "val", "dev": "val", "test": "test"}


def test_arrays_left_out_of_a_split_are_said(tmp_path):
    np.savez(tmp_path / "x.npz", x_train=digits(4), x_test=digits(2), mean=np.zeros(3))
    assert "mean" in open_images(tmp_path / "x.npz").notes[0]


def test_arrays_left_out_beside_images_and_labels_are_said(tmp_path):
    np.savez(tmp_path / "x.npz", images=digits(4), labels=np.arange(4), embedding=np.zeros((4, 3)))
    assert open_images(tmp_path / "x.npz").notes == ("Left out: array embedding.",)
    assert open_images(tmp_path / "x.npz", labels="none").notes == ("Left out: array embedding.",)
    assert open_images(tmp_path / "x.npz", images="embedding").notes == ("Left out: arrays images, labels.",)


# IDX


@pytest.mark.parametrize("place", ["raw", "MNIST/raw", "a/b/c"])
def test_idx_files_in_folders_below(tmp_path, place):
    mnist_like(tmp_path / place)
    images = open_images(tmp_path)
    assert shown(images) == ((6, 0, 4), ("0", "1", "2"))
    assert f"The files lie in {place}." in images.notes


def test_idx_files_in_folders_named_as_they_are(tmp_path):
    mnist_like(tmp_path / "flat", gz=False)
    for file in sorted((tmp_path / "flat").iterdir()):
        write(tmp_path / "nested" / file.name / file.name, file.read_bytes())
    assert open_images(tmp_path / "nested").sha256 == open_images(tmp_path / "flat").sha256


def test_idx_sets_in_several_folders_are_refused_by_name(tmp_path):
    mnist_like(tmp_path / "MNIST/raw")
    mnist_like(tmp_path / "FashionMNIST/raw")
    with pytest.raises(DataError, match=r"more than one set of IDX images: FashionMNIST/raw/.*, MNIST/raw/"):
        open_images(tmp_path)


def test_idx_sets_in_one_folder_are_told_by_how_they_begin(tmp_path):
    for name in ("emnist-digits", "emnist-letters"):
        for part in ("train", "test"):
            write(tmp_path / f"{name}-{part}-images-idx3-ubyte", idx(digits(3 if part == "train" else 2)))
            write(
                tmp_path / f"{name}-{part}-labels-idx1-ubyte",
                idx(np.array([1, 26, 2], np.uint8)[: 3 if part == "train" else 2]),
            )
    with pytest.raises(DataError, match=r"more than one set.*images=..."):
        open_images(tmp_path)
    images = open_images(tmp_path, images="emnist-letters", transpose=True)
    assert shown(images) == ((3, 0, 2), ("1", "2", "26"))
    np.testing.assert_array_equal(images.pixels[:3], digits(3).swapaxes(1, 2))


def test_an_import_keeps_the_split(tmp_path):
    pytest.importorskip("zarr")
    from steinhaus.images.importing import import_images

    for part, n in (("train", 4), ("valid", 2), ("test", 3)):
        tar(tmp_path / "set" / f"{part}-0.tar", n)
    assert shown(import_images(tmp_path / "set", tmp_path / "set.zarr"))[0] == (4, 2, 3)
    folder_of(tmp_path / "folder", "train", "test")
    assert shown(import_images(tmp_path / "folder", tmp_path / "folder.zarr")) == ((2, 0, 2), ("a", "b"))


# Tar files of folders


def tar_of(path, *names):
    """A tar file of pictures."""
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(names):
            data = io.BytesIO()
            Image.fromarray(GREY[number]).save(data, "PNG")
            info = tarfile.TarInfo(name)
            info.size = len(data.getvalue())
            archive.addfile(info, io.BytesIO(data.getvalue()))
    return path


@pytest.mark.parametrize("above", ["", "./", "set/", "my/own.set/"])
def test_a_folder_in_a_tar_file_is_read_as_a_folder(tmp_path, above):
    names = [f"{above}{part}/{label}/{n}.png" for part in ("test", "train", "val") for label in "ab" for n in range(2)]
    images = open_images(tar_of(tmp_path / "x.tar", *names))
    assert shown(images) == ((4, 4, 4), ("a", "b"))
    assert images.pixels[:4].tolist() == GREY[4:8].tolist()
    assert images.labels.tolist() == [0, 0, 1, 1] * 3
    assert images.notes[0] == 'Labels: the folders in the archive. If they are not labels: labels="none".'
    bare = open_images(tmp_path / "x.tar", labels="none")
    assert (bare.labels, bare.given_train, bare.notes) == (None, 4, ())


def test_folders_in_a_tar_file_are_labels_and_a_folder_of_all_is_none(tmp_path):
    assert open_images(tar_of(tmp_path / "x.tar", "b/0.png", "a/0.png")).labels.tolist() == [1, 0]
    for names in (("x/0.png", "x/1.png"), ("0.png", "1.png"), ("0.png", "a/1.png")):
        images = open_images(tar_of(tmp_path / "x.tar", *names))
        assert (images.n, images.labels, images.notes) == (2, None, ())


def test_an_import_keeps_the_folders_of_a_tar_file(tmp_path):
    pytest.importorskip("zarr", reason="needs the extra zarr")
    from steinhaus.images.importing import import_images

    tar_of(tmp_path / "x.tar", "test/a/0.png", "train/a/0.png", "train/b/0.png")
    images = import_images(tmp_path / "x.tar", tmp_path / "x.zarr")
    assert shown(images) == ((2, 0, 1), ("a", "b"))
    assert images.pixels[:].tolist() == GREY[[1, 2, 0]].tolist()
