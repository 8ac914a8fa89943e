"""Pictures of 16 bits per sample, with transparency; TIFF files of one and several pages; other formats."""

import struct

import numpy as np
import pytest
from PIL import Image, features

from pictures import digits, picture, png16, write
from steinhaus.errors import DataError
from steinhaus.images import Limits, open_images

SAMPLES = [0x0000, 0x0080, 0x0081, 0x00FF, 0x0181, 0x7FFF, 0x8000, 0xFEFF, 0xFF00, 0xFFFF]
ROUNDED = [round(sample * 255 / 65535) for sample in SAMPLES]
GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6  # PNG's kinds of colour


@pytest.mark.parametrize("kind", [GREY, RGB, GREY_ALPHA, RGBA])
def test_sixteen_bits_are_rounded_in_every_kind_of_colour(tmp_path, kind):
    images = open_images(png16(tmp_path / "x.png", kind, SAMPLES))
    expected = np.array([ROUNDED], np.uint8)
    if kind in (RGB, RGBA):
        expected = np.repeat(expected[..., None], 3, axis=-1)
    np.testing.assert_array_equal(images.pixels[0], expected)


@pytest.mark.parametrize("kind", [GREY, RGB])
def test_a_transparent_value_of_sixteen_bits_is_background(tmp_path, kind):
    images = open_images(png16(tmp_path / "x.png", kind, SAMPLES, transparent=0x8000), background=7)
    seen = images.pixels[0] if kind == GREY else images.pixels[0, ..., 0]
    assert seen[0].tolist() == [
        7 if sample == 0x8000 else value for sample, value in zip(SAMPLES, ROUNDED, strict=True)
    ]


@pytest.mark.parametrize("kind", [GREY_ALPHA, RGBA])
@pytest.mark.parametrize(("alpha", "share"), [(0, 0.0), (0x8000, 128 / 255), (0xFFFF, 1.0)])
def test_transparency_of_sixteen_bits_is_laid_over_the_background(tmp_path, kind, alpha, share):
    images = open_images(png16(tmp_path / "x.png", kind, SAMPLES, alpha=alpha), background=100)
    seen = images.pixels[0] if kind == GREY_ALPHA else images.pixels[0, ..., 1]
    expected = np.array(ROUNDED) * share + 100 * (1 - share)
    assert np.abs(seen[0] - expected).max() <= 1


def test_transparency_of_eight_bits_is_as_it_was(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0], rgba[0, :, 3] = 200, [0, 128, 255]
    images = open_images(picture(tmp_path / "x.png", rgba), background=10)
    assert images.pixels[0, 0, :, 0].tolist() == [10, 105, 200]


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_tiff_of_sixteen_bits(tmp_path, byte_order):
    """A TIFF of 16 bits in RGB, written by hand: Pillow writes none."""
    row = b"".join(struct.pack(f"{byte_order}H", s) * 3 for s in SAMPLES)
    entries = [
        (256, 3, 1, len(SAMPLES)), (257, 3, 1, 1), (258, 3, 3, 200), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 300),
        (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, len(row)),
    ]  # fmt: skip
    start = b"II*\0" if byte_order == "<" else b"MM\0*"
    data = bytearray(start + struct.pack(f"{byte_order}I", 8) + struct.pack(f"{byte_order}H", len(entries)))
    for tag, kind, count, value in entries:
        form = "HHIHxx" if kind == 3 and count == 1 else "HHII"
        data += struct.pack(byte_order + form, tag, kind, count, value)
    data = data.ljust(200, b"\0") + struct.pack(f"{byte_order}HHH", 16, 16, 16)
    path = write(tmp_path / "x.tif", bytes(data.ljust(300, b"\0")) + row)
    assert open_images(path).pixels[0, 0, :, 2].tolist() == ROUNDED


def test_grey_tiff_of_sixteen_bits(tmp_path):
    picture(tmp_path / "x.tif", Image.fromarray(np.array([SAMPLES], np.uint16)))
    assert open_images(tmp_path / "x.tif").pixels[0, 0].tolist() == ROUNDED


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        (np.array([[0.5, 1.0]], np.float32), "holds floats, not pixels of 8 or 16 bits; save its values as a .npy"),
        (np.array([[0, 70_000]], np.int32), "holds values from 0 to 70000"),
    ],
)
def test_tiff_of_other_values_is_refused(tmp_path, values, fragment):
    with pytest.raises(DataError, match=fragment):
        open_images(picture(tmp_path / "x.tif", Image.fromarray(values)))


# Pages


def pages(path, shapes=((4, 5),) * 3, **options):
    images = [Image.fromarray(np.full(shape, 10 * row, np.uint8)) for row, shape in enumerate(shapes)]
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


@pytest.mark.parametrize("compression", [None, "tiff_deflate", "tiff_lzw"])
def test_each_page_of_a_tiff_is_an_image(tmp_path, compression):
    images = open_images(pages(tmp_path / "x.tiff", compression=compression))
    assert images.pixels[:, 0, 0].tolist() == [0, 10, 20]
    assert images.files == ("x.tiff[0]", "x.tiff[1]", "x.tiff[2]")


def test_pages_of_different_sizes_need_one(tmp_path):
    path = pages(tmp_path / "x.tif", ((4, 5), (6, 5)))
    with pytest.raises(DataError, match=r"pages of different sizes or modes.*size=\(width, height\)"):
        open_images(path)
    assert open_images(path, size=(5, 4)).pixels.shape == (2, 4, 5)


def test_pages_keep_to_the_limits(tmp_path):
    path = pages(tmp_path / "x.tif", ((40, 50),) * 9)
    with pytest.raises(DataError, match="9 pages, would take"):
        open_images(path, limits=Limits(memory=10_000))


def test_a_tiff_of_pages_in_a_folder_is_left_out_with_the_reason(tmp_path):
    pages(tmp_path / "stack.tif")
    picture(tmp_path / "one.tif", digits(1)[0])
    images = open_images(tmp_path)
    assert images.files == ("one.tif",)
    assert "has 3 pages, not one; open the file alone" in images.skipped[0].reason


# Folders of several formats


def test_a_folder_of_tiff_and_png_is_read_whole(tmp_path):
    for row in range(6):
        picture(tmp_path / f"{row}.{'tif' if row % 3 else 'PNG'}", digits(6)[row])
    np.testing.assert_array_equal(open_images(tmp_path).pixels, digits(6))


def test_files_that_are_no_pictures_are_counted(tmp_path):
    picture(tmp_path / "1.png", digits(1)[0])
    for name in ("notes.txt", "list.txt", "LICENSE"):
        write(tmp_path / name, b"-")
    assert open_images(tmp_path).notes == ("Left out: 3 files that are no pictures (.txt (2), no ending (1)).",)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow cannot write AVIF")
def test_avif(tmp_path):
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    picture(tmp_path / "x.avif", np.stack([smooth] * 3, axis=-1), quality=95)
    for source in (tmp_path, tmp_path / "x.avif"):
        images = open_images(source)
        assert images.shape == (16, 16, 3)
        assert np.abs(images.pixels[0, ..., 0].astype(int) - smooth).max() <= 8


def test_heic_without_its_package_says_which(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    path = write(tmp_path / "x.heic", b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(100))
    with pytest.raises(DataError, match="pip install pillow-heif"):
        open_images(path)


# Links, and studies in a folder of pictures


def linked(root):
    for row in range(4):
        picture(root / "blobs" / f"{row:064x}.png", digits(4)[row]).rename(root / "blobs" / f"{row:064x}")
        (root / "snapshot").mkdir(exist_ok=True)
        (root / "snapshot" / f"{row}.png").symlink_to(f"../blobs/{row:064x}")
    return root / "snapshot"


def test_links_are_followed_where_that_is_asked_for(tmp_path):
    folder = linked(tmp_path)
    with pytest.raises(DataError, match="is a symbolic link; follow_links=True follows it"):
        open_images(folder)
    np.testing.assert_array_equal(open_images(folder, follow_links=True).pixels, digits(4))


@pytest.mark.parametrize("place", ["studies/x-1234", "out", "a/b/my study"])
def test_folders_that_hold_a_study_are_left_out(tmp_path, place):
    for row in range(4):
        picture(tmp_path / f"{row}.png", digits(4)[row])
    whole = open_images(tmp_path)
    write(tmp_path / place / "study.json", b'{\n "schema": 1\n}\n')
    picture(tmp_path / place / "figures/inertia.png", digits(1, 40, 40)[0])
    again = open_images(tmp_path)
    assert again.sha256 == whole.sha256
    assert again.notes == (f"Left out, because they hold studies: {place}.",)


def test_a_folder_of_a_file_that_is_called_like_a_study_is_read(tmp_path):
    write(tmp_path / "a/study.json", b"[]")
    picture(tmp_path / "a/1.png", digits(1)[0])
    assert open_images(tmp_path).n == 1
