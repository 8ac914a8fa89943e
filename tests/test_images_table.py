"""Tables: columns of labels, lines of names, kinds of numbers, and errors that name line and column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pictures import digits, write
from steinhaus.errors import DataError
from steinhaus.images import Limits, open_images
from steinhaus.images import table as table_module


def table(path, text, gz=False):
    return write(path, text.encode() if isinstance(text, str) else text, gz)


def lines(pixels, labels=None, header=None, delimiter=","):
    rows = pixels.reshape(len(pixels), -1).tolist()
    rows = rows if labels is None else [[label, *row] for label, row in zip(labels, rows, strict=True)]
    head = [] if header is None else [header]
    return "".join(delimiter.join(map(str, row)) + "\n" for row in head + rows)


@pytest.fixture
def pixels():
    return digits(6, 4, 4)


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [None, ["label", *(f"pixel{i}" for i in range(16))]])
def test_label_then_pixels(tmp_path, pixels, header, delimiter, gz):
    images = open_images(table(tmp_path / "x.csv", lines(pixels, [5, 0, 4, 1, 9, 2], header, delimiter), gz))
    assert images.pixels.dtype == np.uint8
    np.testing.assert_array_equal(images.pixels, pixels)
    assert images.label_names == ("0", "1", "2", "4", "5", "9")
    assert images.labels.tolist() == [4, 0, 3, 1, 5, 2]


@pytest.mark.parametrize("header", [None, [f"pixel{i}" for i in range(16)], list(range(16))])
def test_pixels_alone(tmp_path, pixels, header):
    images = open_images(table(tmp_path / "x.csv", lines(pixels, header=header)))
    np.testing.assert_array_equal(images.pixels, pixels)
    assert images.labels is None


def test_label_at_the_end_as_openml_has_it(tmp_path, pixels):
    text = "a,b,c,class\n1,2,3,9\n4,5,6,8\n"
    images = open_images(table(tmp_path / "x.csv", text))
    assert images.pixels.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert images.label_names == ("8", "9")


def test_label_in_the_middle_by_its_name(tmp_path):
    images = open_images(table(tmp_path / "x.csv", "a,kind,c\n1,x,3\n4,y,6\n"), labels="kind")
    assert images.pixels.tolist() == [[1, 3], [4, 6]]
    assert images.label_names == ("x", "y")


@pytest.mark.parametrize(
    ("labels", "columns", "names"),
    [("none", 3, None), ("first", 2, ("1", "4")), ("last", 2, ("3", "6")), ("auto", 3, None)],
)
def test_which_column_is_the_label(tmp_path, labels, columns, names):
    images = open_images(table(tmp_path / "x.csv", "1,2,3\n4,5,6\n"), labels=labels)
    assert images.shape == (columns,)
    assert images.label_names == names


@pytest.mark.parametrize("text", ["cat,1,2\ndog,3,4\n", "1,2,cat\n3,4,dog\n", '"cat",1,2\n"dog",3,4\n'])
def test_a_column_of_text_is_the_label(tmp_path, text):
    images = open_images(table(tmp_path / "x.csv", text))
    assert images.pixels.tolist() == [[1, 2], [3, 4]]
    assert images.label_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ("0,255", np.uint8),
        ("1.0,2.00", np.uint8),
        ("1e2,3", np.uint8),
        ("0,256", np.float64),
        ("-1,2", np.float64),
        ("0.5,1", np.float64),
    ],
)
def test_whole_numbers_of_a_byte_are_uint8(tmp_path, numbers, dtype):
    images = open_images(table(tmp_path / "x.csv", f"7,7\n{numbers}\n"))
    assert images.pixels.dtype == dtype
    assert images.pixels[1].tolist() == [float(number) for number in numbers.split(",")]


def test_shapes(tmp_path, pixels):
    path = table(tmp_path / "x.csv", lines(pixels))
    assert open_images(path).shape == (4, 4)
    assert open_images(path, shape=(2, 8)).shape == (2, 8)
    assert open_images(path, shape=(16,)).shape == (16,)


def test_what_editors_leave_behind(tmp_path, pixels):
    """A byte order mark, CRLF, blank lines, no end of the last line."""
    text = "\ufeff\r\n" + lines(pixels).replace("\n", "\r\n\r\n").rstrip() + "\r\n  "
    np.testing.assert_array_equal(open_images(table(tmp_path / "x.csv", text)).pixels, pixels)


@given(
    array=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e300, 1e300)),
    block=st.integers(1, 200),
)
def test_floats_come_back_bit_for_bit_whatever_the_blocks(tmp_path_factory, array, block):
    path = table(tmp_path_factory.mktemp("csv") / "x.csv", lines(array))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "_BLOCK", block)
        images = open_images(path, labels="none", shape=(array.shape[1],))
    np.testing.assert_array_equal(images.pixels, array)


ROWS = "label,a,b\n" + "1,2,3\n" * 99  # longer than what is looked at to tell the kind of a file


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (ROWS + "1,2\n", "line 101: the number of columns is 2, but the first line has 3"),
        (ROWS + "1,2,3,4\n", "line 101: the number of columns is 4, but the first line has 3"),
        (ROWS + "1,2,x\n", "line 101, column 3: 'x' is not a number"),
        (ROWS + '1,"2",3\n', "line 101, column 2: '\"2\"' is not a number"),
        (ROWS + "1,1_0,3\n", "line 101, column 2: '1_0' is not a number"),
        (ROWS + "1,,3\n", "line 101, column 2: the value is missing"),
        (ROWS + "1,nan,3\n", "line 101, column 2: nan is not finite"),
        (ROWS + "1,1e999,3\n", "line 101, column 2: 1e999 is not finite"),
        (ROWS + ",2,3\n", "the label of image 100 is empty"),
        (ROWS + "1,2,caf\xe9\n", "line 101, column 3: 'café' is not a number"),
        (ROWS.encode() + b"1,2,\xff\n", "line 101: this is not UTF-8 text"),
        (ROWS.encode() + b"1,2,\0\n", "line 101, column 3: '\\x00' is not a number"),
        ("1,2,x,4,5\n1,2,3,4,5\n", "line 1, column 3: 'x' is not a number"),
        ("\n\n", "only blank lines"),
        ("label,a,b\n", "a line of names, but no images"),
        ("Dear all,\nplease find attached\nnothing\n", "not a table of numbers"),
        ("hello\n", "one line of text"),
        ("label\n1\n2\n", "a column of labels, but no pixels"),
        ("1,2\r3,4\r", "end in CR only"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, text, fragment):
    path = table(tmp_path / "x.csv", text)
    with pytest.raises(DataError) as caught:
        open_images(path)
    assert fragment in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_column_is_named(tmp_path):
    with pytest.raises(DataError, match="has no column named 'kind': its columns are a, b, c"):
        open_images(table(tmp_path / "x.csv", "a,b,c\n1,2,3\n"), labels="kind")
    with pytest.raises(DataError, match="its first line holds no names"):
        open_images(table(tmp_path / "y.csv", "1,2,3\n"), labels="kind")


def test_limits(tmp_path, pixels):
    path = table(tmp_path / "x.csv", lines(pixels))
    with pytest.raises(
        DataError, match=r"would take 96 bytes of memory, but the limit is 95 bytes.*Limits\(memory=96\)"
    ):
        open_images(path, limits=Limits(memory=95))
    with pytest.raises(DataError, match="a line is longer than 20 bytes"):
        open_images(path, limits=Limits(line=20))


def test_a_gzip_bomb_stops_early(tmp_path):
    path = table(tmp_path / "x.csv.gz", b"0," * 2_000_000, gz=True)
    with pytest.raises(DataError, match="decompression bomb"):
        open_images(path, limits=Limits(ratio_free=1 << 20))


@pytest.mark.parametrize("text", ["a;b;note\n1;2;x, y, z\n3;4;u\n", "a|b\n1|2\n3|4\n", "a b\n1 2\n3 4\n"])
def test_what_parts_the_columns(tmp_path, text):
    images = open_images(table(tmp_path / "x.csv", text))
    assert images.pixels.tolist() == [[1, 2], [3, 4]]
    assert images.columns == ("a", "b")
