"""Columns of tables, of text and of Parquet: indices, identifiers, labels without names, vectors, pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from pictures import digits, write
from steinhaus.errors import DataError
from steinhaus.images import open_images
from steinhaus.images.columns import identifies

PIXELS = digits(30, 4, 4).reshape(30, 16)


def table(path, header, rows):
    lines = ([] if header is None else [",".join(map(str, header))]) + [",".join(map(str, row)) for row in rows]
    return write(path, ("\n".join(lines) + "\n").encode())


def parquet(path, columns, metadata=None):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    made = pa.table(columns)
    pq.write_table(made if metadata is None else made.replace_schema_metadata(metadata), path)
    return path


def png(side=4):
    data = io.BytesIO()
    Image.fromarray(digits(1, side, side)[0]).save(data, "PNG")
    return data.getvalue()


# Labels of tables without names of columns


def with_label(place, classes, n=30):
    labels = np.arange(n) % classes
    columns = [labels, *PIXELS[:n].T] if place == "first" else [*PIXELS[:n].T, labels]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("header", [None, list(range(17)), list(range(1, 18))])
def test_the_end_that_holds_classes_is_the_label_and_that_is_said(tmp_path, place, header):
    images = open_images(table(tmp_path / "x.csv", header, with_label(place, 3)))
    assert images.shape == (4, 4)
    assert images.label_names == ("0", "1", "2")
    np.testing.assert_array_equal(images.rows, PIXELS)
    assert images.notes == (f'Labels: the {place} column. If it holds no labels: labels="none".',)
    assert open_images(tmp_path / "x.csv", labels="none").shape == (17,)


def test_floats_of_one_column_more_than_a_square_have_no_label(tmp_path, rng):
    images = open_images(table(tmp_path / "x.csv", None, rng.random((50, 17)).tolist()))
    assert (images.shape, images.label_names) == ((17,), None)
    assert "No column is used as the label" in images.notes[0]


def test_two_ends_that_may_be_the_label_are_refused(tmp_path):
    rows = with_label("first", 9)
    rows[:, -1] = np.arange(30) % 10
    path = table(tmp_path / "x.csv", None, rows)
    with pytest.raises(DataError, match=r'Choose one: labels="first", labels="last", or labels="none"'):
        open_images(path)
    assert len(open_images(path, labels="first").label_names) == 9
    assert len(open_images(path, labels="last").label_names) == 10
    assert len(open_images(path, labels=0).label_names) == 9
    assert len(open_images(path, labels=-1).label_names) == 10
    assert len(open_images(path, labels="16").label_names) == 10


@pytest.mark.parametrize("end", ["tra", "data", "txt", "tsv"])
def test_any_ending(tmp_path, end):
    assert open_images(table(tmp_path / f"x.{end}", None, with_label("last", 3))).label_names == ("0", "1", "2")


# Identifiers and indices


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("id", True), ("ID", True), ("CustomerID", True), ("customer_id", True), ("userid", True),
        ("PassengerId", True),
        ("idx", None), ("index", None), ("Unnamed: 0", None), ("", None), ("S.No", None), ("Row", None),
        ("row_number", None), ("__index_level_0__", None), ("#", None), ("key", None),
        ("width", False), ("acid", False), ("grid", False), ("Age", False), ("2019", False), ("number_of_rooms", False),
    ],
)  # fmt: skip
def test_names_of_identifiers(name, answer):
    assert identifies(name) is answer


@pytest.mark.parametrize(
    "name", ["CustomerID", "customer_id", "idx", "ID", "Unnamed: 0", "", "index", "S.No", "row", "PassengerId"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_numbers_the_rows_is_left_out(tmp_path, rng, name, place, kind):
    columns = {"Age": rng.integers(18, 80, 40), "Score": rng.integers(1, 100, 40)}
    names = ["Age", "Score"]
    names.insert(place, name)
    columns[name] = np.arange(1, 41)
    if kind == "csv":
        path = table(tmp_path / "x.csv", names, np.stack([columns[each] for each in names], axis=1))
    else:
        path = parquet(tmp_path / "x.parquet", {each: columns[each] for each in names})
    images = open_images(path)
    np.testing.assert_array_equal(images.pixels, np.stack([columns["Age"], columns["Score"]], axis=1))
    assert images.columns == ("Age", "Score")
    assert images.notes == (f'Left out: column "{name}", which numbers the rows. To keep it: columns="all".',)
    assert open_images(path, columns="all").shape == (3,)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_counts_rows_under_another_name_is_refused(tmp_path, rng, kind):
    columns = {"when": np.arange(20), "Score": rng.integers(1, 100, 20)}
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        table(path, columns, np.stack(list(columns.values()), axis=1))
    else:
        parquet(path, columns)
    with pytest.raises(DataError, match=r'"when" counts the rows, 0 to 19.*without="when".*columns="all"'):
        open_images(path)
    assert open_images(path, without="when").columns == ("Score",)
    assert open_images(path, columns="all").columns == ("when", "Score")
    assert open_images(path, columns=["Score", "when"]).columns == ("Score", "when")


def test_identifiers_that_repeat_are_refused(tmp_path):
    rows = np.stack([np.arange(20) % 7, np.arange(20) ** 2], axis=1)
    with pytest.raises(DataError, match=r"says identifiers, but some values repeat"):
        open_images(table(tmp_path / "x.csv", ["user_id", "age"], rows))


def test_columns_by_number_and_unknown_ones(tmp_path):
    path = table(tmp_path / "x.csv", ["a", "b", "c"], [[1, 2, 3], [4, 5, 6]])
    assert open_images(path, columns=["0", "c"]).columns == ("a", "c")
    with pytest.raises(DataError, match=r"has no column 'd'; its columns are a, b, c, or 0 to 2 by number"):
        open_images(path, columns=["d"])


def test_columns_of_text_are_left_out_and_said(tmp_path, rng):
    rows = [[k, "Male" if k % 2 else "Female, other", rng.integers(18, 80), rng.integers(1, 100)] for k in range(1, 21)]
    rows = [[row[0], f'"{row[1]}"', *row[2:]] for row in rows]
    images = open_images(table(tmp_path / "x.csv", ["CustomerID", "Gender", "Age", "Score"], rows))
    assert images.columns == ("Age", "Score")
    assert [note.split(",")[0] for note in images.notes] == [
        'Left out: column "Gender"', 'Left out: column "CustomerID"'
    ]  # fmt: skip
    by_gender = open_images(tmp_path / "x.csv", labels="Gender", columns=["Age"])
    assert by_gender.label_names == ("Female, other", "Male")


def test_text_without_two_rows_alike_is_no_label(tmp_path):
    rows = [[f"name{k}", k * k, 100 - k] for k in range(12)]
    images = open_images(table(tmp_path / "x.csv", ["who", "a", "b"], rows))
    assert images.label_names is None
    assert 'column "who", a text column in which all rows differ' in images.notes[0]
    assert len(open_images(tmp_path / "x.csv", labels="first").label_names) == 12


def test_the_index_of_pandas_and_of_dask_is_left_out(tmp_path):
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [0.0, 3, 1, 5, 2], "b": [4.0, 6, 8, 0, 2]})
    frame[frame.a > 1].to_parquet(tmp_path / "filtered.parquet")
    frame.set_index(pd.Index([3, 3, 1, 1, 0], name="kind")).to_parquet(tmp_path / "named.parquet")
    for name, index in (("filtered", "__index_level_0__"), ("named", "kind")):
        images = open_images(tmp_path / f"{name}.parquet")
        assert images.columns == ("a", "b")
        assert images.notes == (f"Left out: column {index} (an index).",)
        assert open_images(tmp_path / f"{name}.parquet", columns="all").shape == (3,)
    images = open_images(parquet(tmp_path / "dask.parquet", {"a": [1.0, 2.0], "__null_dask_index__": [0, 1]}))
    assert images.columns == ("a",)


# Pictures in wide columns, and tables of numbers


@pytest.mark.parametrize(
    "names", [[f"pixel{k}" for k in range(16)], [f"{r}x{c}" for r in range(1, 5) for c in range(4)]]
)
def test_csv_and_parquet_of_one_table_are_the_same(tmp_path, names):
    rows = np.column_stack([np.arange(30) % 3, PIXELS])
    text = open_images(table(tmp_path / "x.csv", ["label", *names], rows))
    columnar = open_images(parquet(tmp_path / "x.parquet", dict(zip(["label", *names], rows.T, strict=True))))
    assert text.shape == columnar.shape == (4, 4)
    np.testing.assert_array_equal(text.pixels, columnar.pixels)
    assert text.label_names == columnar.label_names
    assert text.full_scale == columnar.full_scale == 255


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_with_names_are_numbers_in_their_own_units(tmp_path, kind):
    names = [f"sensor {letter}" for letter in "abcdefghijklmnop"]
    if kind == "csv":
        path = table(tmp_path / "x.csv", names, PIXELS)
    else:
        path = parquet(tmp_path / "x.parquet", dict(zip(names, PIXELS.T, strict=True)))
    images = open_images(path)
    assert (images.shape, images.full_scale, images.columns) == ((16,), 1.0, tuple(names))
    assert open_images(path, shape=(4, 4)).shape == (4, 4)


def test_columns_of_very_different_range_get_a_word(tmp_path):
    rows = [[k % 7, 1000 * (k % 11), k % 3] for k in range(40)]
    images = open_images(table(tmp_path / "x.csv", ["age", "income", "kind"], rows))
    assert "The columns differ in range" in images.notes[0]
    assert '"income" by 1e+04, "kind" by 2' in images.notes[0]


# Columns of Parquet


def test_the_column_of_lists_is_what_is_clustered(tmp_path, rng):
    pa = pytest.importorskip("pyarrow")
    vectors = rng.random((6, 5))
    columns = {"id": range(6), "text": list("abcdef"), "vec": pa.array(vectors.tolist(), pa.list_(pa.float64()))}
    images = open_images(parquet(tmp_path / "x.parquet", columns))
    np.testing.assert_array_equal(images.pixels, vectors)
    assert images.notes == ("Left out: columns id, text (beside the column of pixels).",)


def test_several_columns_of_lists_are_refused(tmp_path):
    path = parquet(tmp_path / "x.parquet", {"one": [[1.0, 2.0]] * 3, "two": [[3.0]] * 3})
    with pytest.raises(DataError, match=r'several columns that may hold images or vectors: one, two.*images="one"'):
        open_images(path)
    assert open_images(path, images="two").shape == (1,)


@pytest.mark.parametrize("name", ["jpg", "image", "png", "photo", "anything"])
def test_pictures_as_plain_binary_are_decoded(tmp_path, name):
    images = open_images(parquet(tmp_path / "x.parquet", {name: [png()] * 4, "width": [4] * 4, "label": [0, 1, 0, 1]}))
    assert (images.shape, images.label_names) == ((4, 4), ("0", "1"))
    assert images.notes == ("Left out: column width (beside the column of pixels).",)


@pytest.mark.parametrize("form", ["lists", "large", "fixed", "tensor", "deep"])
def test_pictures_as_nested_lists_and_tensors(tmp_path, form):
    pa = pytest.importorskip("pyarrow")
    pixels = digits(5, 4, 3)
    if form == "tensor":
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    elif form == "deep":
        pixels = np.stack([pixels] * 3, axis=-1)
        column = pa.array(pixels.tolist(), pa.list_(pa.list_(pa.list_(pa.uint8(), 3))))
    else:
        kinds = {
            "lists": pa.list_(pa.list_(pa.uint8())),
            "large": pa.large_list(pa.list_(pa.int64())),
            "fixed": pa.list_(pa.list_(pa.uint8(), 3), 4),
        }
        column = pa.array(pixels.tolist(), kinds[form])
    images = open_images(parquet(tmp_path / "x.parquet", {"image": column}))
    np.testing.assert_array_equal(images.pixels, pixels)
    assert open_images(tmp_path / "x.parquet", stored=form != "large").shape == pixels.shape[1:]


def test_nested_lists_of_different_lengths_are_refused(tmp_path):
    rows = [[[1, 2], [3, 4]], [[1, 2], [3]]]
    with pytest.raises(
        DataError, match="the lists of column image must all hold 2 numbers, but some have other lengths"
    ):
        open_images(parquet(tmp_path / "x.parquet", {"image": rows}))


# Which columns are features, of text and of Parquet alike


def same_table(path, columns):
    """The same columns as a CSV or a Parquet file."""
    if path.suffix == ".csv":
        return table(path, columns, zip(*columns.values(), strict=True))
    return parquet(path, columns)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_of_columns_count_the_label_and_text(tmp_path, kind):
    values = {"label": [0, 1, 0], "who": ["p", "q", "p"], "a": [1.5, 2, 4], "b": [2.5, 3, 1], "c": [3.5, 4, 5]}
    path = same_table(tmp_path / f"x.{kind}", values)
    for numbers in ([2, 4], ["2", "4"]):
        assert open_images(path, columns=numbers).columns == ("a", "c")
    assert open_images(path, without=[3]).columns == ("a", "c")
    for column, why in (("who", "cannot be a feature"), (1, "cannot be a feature")):
        with pytest.raises(DataError, match=why):
            open_images(path, columns=["a", column])
    with pytest.raises(DataError, match=r'column "label" is the label, so it cannot be a feature'):
        open_images(path, columns=["a", "label"], labels="label")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_x_and_y_are_coordinates(tmp_path, kind, rng):
    path = same_table(tmp_path / f"x.{kind}", {"x": rng.normal(size=12), "y": rng.normal(size=12)})
    images = open_images(path)
    assert (images.columns, images.label_names) == (("x", "y"), None)
    path = same_table(tmp_path / f"y.{kind}", {"a": rng.normal(size=12), "y": np.arange(12) % 3})
    assert open_images(path).label_names == ("0", "1", "2")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_was_asked_for_is_a_feature_whatever_its_name(tmp_path, kind, rng):
    path = same_table(tmp_path / f"x.{kind}", {"a": rng.normal(size=12), "target": rng.normal(size=12)})
    images = open_images(path, columns=["a", "target"])
    assert (images.columns, images.label_names, images.notes) == (("a", "target"), None, ())


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_fractions_are_no_labels(tmp_path, kind, rng):
    path = same_table(tmp_path / f"x.{kind}", {"a": rng.normal(size=12), "target": rng.normal(size=12)})
    with pytest.raises(DataError, match=r'labels="none"'):
        open_images(path)
    images = open_images(path, labels="none")
    assert images.columns == ("a", "target")
    assert images.notes[0].startswith('Clustered: column "target", whose name suggests labels.')
    assert open_images(path, labels="none", without="target").notes == ()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("place", [0, 2])
def test_text_at_an_end_is_the_label_of_csv_and_of_parquet(tmp_path, kind, place):
    values = {"a": [0.5, 2, 4, 1], "b": [2.5, 3, 1, 1]}
    names = list(values)
    names.insert(place, "species")
    path = same_table(tmp_path / f"x.{kind}", {name: values.get(name, ["p", "q", "p", "q"]) for name in names})
    images = open_images(path)
    assert (images.columns, images.label_names) == (("a", "b"), ("p", "q"))
    assert images.notes == ('Labels: column "species", which holds text. If it holds no labels: labels="none".',)
    assert open_images(path, labels="none").labels is None
    assert open_images(path, without="species").labels is None


def test_text_of_parquet_without_two_rows_alike_or_with_nulls_is_left_out(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for names, why in (([f"n{k}" for k in range(12)], "all rows differ"), (["p", None, "q"] * 4, "lacks some values")):
        pq.write_table(pa.table({"who": names, "a": np.arange(12) ** 2 % 7}), tmp_path / "x.parquet")
        images = open_images(tmp_path / "x.parquet")
        assert images.labels is None
        assert any(why in note for note in images.notes)


def test_decimals_of_parquet_are_numbers(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    amounts = pa.array(["1.50", "2.25", "3.10"]).cast(pa.decimal128(5, 2))
    pq.write_table(pa.table({"amount": amounts, "b": [1.0, 2, 4]}), tmp_path / "x.parquet")
    images = open_images(tmp_path / "x.parquet")
    assert images.columns == ("amount", "b")
    assert images.pixels.tolist() == [[1.5, 1], [2.25, 2], [3.1, 4]]


@pytest.mark.parametrize(
    ("pixels", "likely"),
    [
        (np.full((3, 4, 4), 16, np.uint8), 16), (np.full((3, 4, 4), 1, np.uint8), 1),
        (np.full((3, 4, 4), 4000, np.uint16), 4095), (np.full((3, 4, 4), 200, np.uint8), None),
        (np.full((3, 4, 4), 60000, np.uint16), None), (np.zeros((3, 4, 4), np.uint8), None),
    ],
)  # fmt: skip
def test_pixels_far_below_their_full_scale_get_a_word(tmp_path, pixels, likely):
    np.save(tmp_path / "x.npy", pixels)
    images = open_images(tmp_path / "x.npy")
    assert bool(images.notes) == (likely is not None)
    assert all(f"full_scale={likely}." in note for note in images.notes)
    assert open_images(tmp_path / "x.npy", full_scale=likely or 255).notes == ()


def test_labels_beside_images_are_found_by_their_name_alone(tmp_path):
    for x, y in (("data", "targets"), ("X", "label"), ("images", "classes"), ("fea", "gnd")):
        np.savez(tmp_path / "x.npz", **{x: digits(4), y: np.arange(4) % 2})
        assert open_images(tmp_path / "x.npz").label_names == ("0", "1")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_that_rise_evenly_and_rounded_numbers_get_a_word_in_every_format(tmp_path, kind):
    rows = np.arange(12)
    path = same_table(tmp_path / f"x.{kind}", {"t": rows / 2, "a": rows**2 % 7 + 0.0, "b": rows**2 % 5 + 0.0})
    assert any('column "t", which changes by 0.5' in note for note in open_images(path).notes)
    path = same_table(tmp_path / f"y.{kind}", {"big": 10**18 + rows**2, "a": rows**2 % 7})
    assert any("beyond 2^53" in note for note in open_images(path).notes)


def test_numbers_in_another_spelling_and_dates_in_parquet_are_no_labels(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for text in ("1,5", "2024-01-02"):
        pq.write_table(pa.table({"a": np.arange(12) ** 2 % 7, "last": [text] * 12}), tmp_path / f"{text}.parquet")
    with pytest.raises(DataError, match=r'column "last" holds .1,5., which seems to be a number'):
        open_images(tmp_path / "1,5.parquet")
    assert open_images(tmp_path / "1,5.parquet", without="last").columns == ("a",)
    images = open_images(tmp_path / "2024-01-02.parquet")
    assert (images.labels, images.columns) == (None, ("a",))
