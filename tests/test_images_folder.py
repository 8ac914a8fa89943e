"""Folders of pictures: labels, order, sizes, modes, and files that cannot be read."""

import os
import random

import numpy as np
import pytest
from PIL import Image

from pictures import digits, picture, png_that_declares, write
from steinhaus.errors import DataError
from steinhaus.images import Limits, open_images

GREY = digits(12, 6, 5)


def reasons(images):
    return {skipped.file: skipped.reason for skipped in images.skipped}


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
@pytest.mark.parametrize("colour", [False, True])
def test_formats_without_loss_come_back_as_they_were(tmp_path, suffix, colour):
    pixels = digits(3 * 4, 6, 5).reshape(4, 3, 6, 5).transpose(0, 2, 3, 1) if colour else GREY[:4]
    for row, array in enumerate(pixels):
        picture(tmp_path / f"{row}.{suffix}", array, **({"lossless": True} if suffix == "webp" else {}))
    # WebP has no grey: its pictures are RGB until asked otherwise.
    images = open_images(tmp_path, mode="RGB" if colour else "L")
    np.testing.assert_array_equal(images.pixels, pixels)
    assert (images.labels, images.skipped) == (None, ())


def test_jpeg(tmp_path):
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    picture(tmp_path / "x.JPEG", smooth, quality=95)
    images = open_images(tmp_path)
    assert images.shape == (16, 16)
    assert np.abs(images.pixels[0].astype(int) - smooth).max() <= 4


def test_subfolders_are_labels_in_natural_order(tmp_path):
    names = ["10/a.png", "2/b10.png", "2/b9.png", "2/deeper/c.png", "1/Z.png"]
    for row, name in enumerate(names):
        picture(tmp_path / name, GREY[row])
    images = open_images(tmp_path)
    assert images.files == ("1/Z.png", "2/b9.png", "2/b10.png", "2/deeper/c.png", "10/a.png")
    assert images.label_names == ("1", "2", "10")
    assert images.labels.tolist() == [0, 1, 1, 1, 2]
    np.testing.assert_array_equal(images.pixels, GREY[[4, 2, 1, 3, 0]])
    assert open_images(tmp_path, labels=False).labels is None


def test_order_does_not_depend_on_the_file_system(tmp_path, monkeypatch):
    for row in range(12):
        picture(tmp_path / f"{row % 3}/{row}.png", GREY[row])
    expected = open_images(tmp_path)
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: random.Random(str(path)).sample(names := real(path), len(names)))
    again = open_images(tmp_path)
    assert again.files == expected.files
    assert again.sha256 == expected.sha256


def test_train_and_test_folders_are_a_split(tmp_path):
    for row, name in enumerate(["test/a/1.png", "train/b/1.png", "train/a/1.png", "test/b/1.png"]):
        picture(tmp_path / name, GREY[row])
    images = open_images(tmp_path)
    assert images.files == ("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png")
    assert (images.given_train, images.label_names) == (2, ("a", "b"))
    assert images.split("given").test.files == ("test/a/1.png", "test/b/1.png")


def test_pictures_beside_label_folders_are_an_error(tmp_path):
    picture(tmp_path / "a/1.png", GREY[0])
    picture(tmp_path / "stray.png", GREY[1])
    with pytest.raises(DataError, match=r'1 of 2 pictures lie in none; the first is stray.png.*labels="none"'):
        open_images(tmp_path)
    assert open_images(tmp_path, labels=False).n == 2


def test_several_sizes_are_told_and_brought_to_one(tmp_path):
    for row, shape in enumerate([(6, 5), (6, 5), (12, 10), (4, 9)]):
        picture(tmp_path / f"{row}.png", np.full(shape, 200, np.uint8))
    with pytest.raises(DataError, match=r"3 sizes: 5 x 6 \(2\), 10 x 12 \(1\), 9 x 4 \(1\).*size=\(width, height\)"):
        open_images(tmp_path)
    for fit in ("crop", "stretch", "pad"):
        images = open_images(tmp_path, size=(5, 6), fit=fit)
        assert images.shape == (6, 5)
        assert set(np.unique(images.pixels[:3])) == {200}
    padded = open_images(tmp_path, size=(5, 6), fit="pad", background=7).pixels[3]
    assert padded[0].tolist() == [7] * 5
    assert padded[3].tolist() == [200] * 5


def test_several_modes_are_told_and_brought_to_one(tmp_path):
    picture(tmp_path / "1.png", GREY[0])
    picture(tmp_path / "2.png", np.stack([GREY[1]] * 3, axis=2))
    with pytest.raises(DataError, match=r'2 modes: grey \(L\) \(1\), RGB \(1\).*mode="L" or mode="RGB"'):
        open_images(tmp_path)
    np.testing.assert_array_equal(open_images(tmp_path, mode="L").pixels, GREY[:2])
    assert open_images(tmp_path, mode="RGB").shape == (6, 5, 3)


def test_every_mode_of_png_has_its_rule(tmp_path):
    deep = np.array([[0, 128, 257, 65535]], np.uint16)
    clear = np.array([[[200, 0], [200, 255]]], np.uint8)
    black = Image.new("1", (2, 1))
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert open_images(picture(tmp_path / "16.png", Image.fromarray(deep))).pixels.tolist() == [[[0, 0, 1, 255]]]
    assert open_images(picture(tmp_path / "la.png", clear)).pixels.tolist() == [[[0, 200]]]
    assert open_images(tmp_path / "la.png", background=255).pixels.tolist() == [[[255, 200]]]
    assert open_images(picture(tmp_path / "1.png", black)).pixels.tolist() == [[[0, 0]]]
    assert open_images(picture(tmp_path / "p.png", palette)).pixels.tolist() == [[[[10, 20, 30], [40, 50, 60]]]]
    one_clear = picture(tmp_path / "t.png", palette, transparency=0)
    assert open_images(one_clear).pixels.tolist() == [[[[0, 0, 0], [40, 50, 60]]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, orientation):
    """The picture is stored turned, and says by its EXIF data how to turn it back."""
    upright = np.add.outer(np.arange(8) * 16, np.arange(16) * 8).astype(np.uint8)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(tmp_path / "x.png", np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(open_images(tmp_path).pixels[0], upright)


def test_what_is_no_picture_is_left_alone(tmp_path):
    picture(tmp_path / "a.png", GREY[0])
    for name in (".DS_Store", ".hidden/b.png", "__MACOSX/c.png", "notes.txt"):
        write(tmp_path / name, b"anything")
    images = open_images(tmp_path)
    assert (images.files, images.skipped) == (("a.png",), ())


def bad_folder(folder):
    """One good picture among every kind of bad file."""
    picture(folder / "good.png", GREY[0])
    whole = picture(folder / "cut.jpg", digits(1, 64, 64)[0], quality=95).read_bytes()
    write(folder / "cut.jpg", whole[: len(whole) // 2])
    write(folder / "page.png", b"<!DOCTYPE html><html>not found</html>")
    write(folder / "empty.png", b"")
    write(folder / "bomb.png", png_that_declares(50_000, 50_000))
    write(folder / "large.png", png_that_declares(10_000, 10_000))
    Image.new("L", (5, 6)).save(folder / "film.webp", save_all=True, append_images=[Image.new("L", (5, 6), 9)])
    (folder / "gif.png").write_bytes(b"GIF89a" + bytes(30))
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to(folder / "good.png")
    (folder / "loop").symlink_to(folder)
    return folder


EXPECTED = {
    "cut.jpg": "cannot be read: image file is truncated",
    "page.png": "is not a PNG, JPEG, WebP, BMP, TIFF, AVIF or HEIC picture",
    "empty.png": "is empty (0 bytes)",
    "bomb.png": "declares more pixels than Pillow opens",
    "large.png": "declares 10,000 x 10,000 pixels, over the limit of 50,000,000",
    "film.webp": "is an animation",
    "gif.png": "is not a PNG, JPEG, WebP, BMP, TIFF, AVIF or HEIC picture",
    "pipe.png": "is a named pipe (FIFO)",
    "link.png": "is a symbolic link",
    "loop": "is a symbolic link",
}


def test_bad_files_are_listed_and_skipped(tmp_path):
    images = open_images(bad_folder(tmp_path))
    assert images.files == ("good.png",)
    np.testing.assert_array_equal(images.pixels[0], GREY[0])
    found = reasons(images)
    assert found.keys() == EXPECTED.keys()
    for file, fragment in EXPECTED.items():
        assert fragment in found[file], file


@pytest.mark.parametrize("bad", EXPECTED)
def test_strict_stops_at_a_bad_file(tmp_path, bad):
    bad_folder(tmp_path)
    for file in EXPECTED.keys() - {bad}:
        (tmp_path / file).unlink()
    with pytest.raises(DataError) as caught:
        open_images(tmp_path, strict=True)
    assert EXPECTED[bad] in str(caught.value)
    assert bad in str(caught.value)


def test_skipped_pictures_leave_no_gap(tmp_path):
    for row in range(4):
        picture(tmp_path / f"{'ab'[row % 2]}/{row}.png", GREY[row])
    write(tmp_path / "a/1.png", b"bad")
    images = open_images(tmp_path)
    assert images.files == ("a/0.png", "a/2.png", "b/1.png", "b/3.png")
    np.testing.assert_array_equal(images.pixels, GREY[[0, 2, 1, 3]])
    assert images.labels.tolist() == [0, 0, 1, 1]


def test_links_are_followed_where_asked_for_and_loops_end(tmp_path):
    picture(tmp_path / "real/a.png", GREY[0])
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "b.png").symlink_to(tmp_path / "real/a.png")
    (folder / "sub").symlink_to(tmp_path / "real")
    (folder / "up").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    images = open_images(folder, follow_links=True, labels=False)
    assert images.files == ("b.png", "sub/a.png")
    assert reasons(images).keys() == {"up", "gone.png"}
    with pytest.raises(DataError, match="holds nothing that can be read"):
        open_images(folder)


def test_names_that_are_no_text_are_listed(tmp_path):
    picture(tmp_path / "a.png", GREY[0])
    with open(os.fsencode(tmp_path) + b"/b\xff.png", "wb") as out:
        out.write((tmp_path / "a.png").read_bytes())
    assert reasons(open_images(tmp_path)) == {"b\\xff.png": "has a name that is not UTF-8 text; rename it"}


def test_a_folder_that_cannot_be_opened_is_listed(tmp_path, monkeypatch):
    picture(tmp_path / "a/1.png", GREY[0])
    picture(tmp_path / "closed/2.png", GREY[1])
    real = os.listdir

    def listdir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert reasons(open_images(tmp_path)) == {"closed": "cannot be opened: Permission denied"}


def test_very_deep_folders_are_listed(tmp_path):
    picture(tmp_path / "a.png", GREY[0])
    (tmp_path / "/".join("d" * 40)).mkdir(parents=True)
    assert reasons(open_images(tmp_path)) == {"/".join("d" * 33): "lies more than 32 folders deep"}


def test_memory_limit(tmp_path):
    for row in range(3):
        picture(tmp_path / f"{row}.png", GREY[row])
    with pytest.raises(DataError, match="3 pictures, would take 90 bytes of memory, but the limit is 89 bytes"):
        open_images(tmp_path, limits=Limits(memory=89))


def test_one_picture(tmp_path):
    images = open_images(picture(tmp_path / "x.png", GREY[0]), size=(3, 3), mode="RGB")
    assert (images.n, images.shape, images.name, images.files) == (1, (3, 3, 3), "x", ("x.png",))


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"mode": "CMYK"}, 'mode must be "L"'),
        ({"fit": "squeeze"}, 'fit must be "crop"'),
        ({"size": 28}, "size must be (width, height)"),
        ({"size": (0, 5)}, "size must be (width, height)"),
        ({"background": 256}, "background must be a grey value"),
    ],
)
def test_options_are_checked_first(tmp_path, options, fragment):
    picture(tmp_path / "x.png", GREY[0])
    with pytest.raises(DataError) as caught:
        open_images(tmp_path, **options)
    assert fragment in str(caught.value)
