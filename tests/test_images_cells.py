"""Real text tables: numbers in other spellings, missing values, headers of numbers, dates."""

from __future__ import annotations

import pytest

from pictures import write
from steinhaus.errors import DataError
from steinhaus.images import open_images
from steinhaus.images.cells import is_date, is_missing, is_spelt_otherwise

ROWS = [(3, 8.5, 2), (7, 1.25, 0), (1, 6.5, 2), (4, 9.75, 1), (5, 2.5, 6), (9, 4.5, 3)]


def table(tmp_path, rows, header="alpha,beta,gamma", sep=","):
    lines = ([header] if header else []) + [sep.join(map(str, row)) for row in rows]
    return write(tmp_path / "x.csv", "\n".join(lines).encode())


def with_first(value):
    """Rows of which the first column holds such values."""
    return [(value, *row[1:]) for row in ROWS]


ODD = [
    "1,5",
    "1 000",
    "1\u00a0000",
    "1'000",
    "1_000",
    "12%",
    "$3",
    "3 €",
    "0x1f",
    "1.5D+03",
    "\u22121",
    "1.234,5",
    "\u0661\u0662",
]


@pytest.mark.parametrize("field", ODD)
def test_a_number_in_another_spelling_is_refused_and_not_taken_for_text(tmp_path, field):
    assert is_spelt_otherwise(field)
    for place in range(3):
        rows = [(*row[:place], field, *row[place + 1 :]) for row in ROWS]
        path = table(tmp_path, rows, "alpha;beta;gamma", ";")
        name = ("alpha", "beta", "gamma")[place]
        with pytest.raises(DataError, match=f'column "{name}" holds .* seems to be a number.*without="{name}"'):
            open_images(path)
        assert len(open_images(path, without=[name]).columns) == 2


@pytest.mark.parametrize("field", ["abc", "2024-01-02", "1.2.3", "192.168.0.1", "a1", "", "x-1", "12 apples"])
def test_text_and_dates_are_no_numbers_in_another_spelling(field):
    assert not is_spelt_otherwise(field)


def test_decimal_commas_everywhere_are_refused(tmp_path):
    rows = [tuple(f"{value:.2f}".replace(".", ",") for value in row) for row in ROWS]
    with pytest.raises(DataError, match="'3,00', which seems to be a number"):
        open_images(table(tmp_path, rows, "alpha;beta;gamma", ";"))


@pytest.mark.parametrize("field", ["", " ", "NA", "N/A", "nan", "NULL", "None", "-", "?", "<NA>", "."])
@pytest.mark.parametrize("row", [0, 4])
def test_a_missing_value_is_named_wherever_it_stands(tmp_path, field, row):
    assert is_missing(field)
    rows = [list(each) for each in ROWS]
    rows[row][1] = field
    path = table(tmp_path, rows)
    with pytest.raises(DataError, match=rf'line {row + 2}, column 2: .*(is missing|not finite).*without="beta"'):
        open_images(path)
    assert open_images(path, without=["beta"]).columns == ("alpha", "gamma")
    assert open_images(path, columns=["alpha", "gamma"]).columns == ("alpha", "gamma")


@pytest.mark.parametrize("field", ["NaN", "NA", "?", "None"])
def test_a_missing_label_is_refused_among_numbers_and_said_among_names(tmp_path, field):
    labels = ["1", field, "2", "1", "2", "1"]
    rows = [(*row[:2], label) for row, label in zip(ROWS, labels, strict=True)]
    with pytest.raises(DataError, match=f"the label of image 2 is missing .{field}."):
        open_images(table(tmp_path, rows, "a,b,label"), labels="label")
    names = [("x", field, "y", "x", "y", "x")[place] for place in range(6)]
    images = open_images(table(tmp_path, [(*row[:2], n) for row, n in zip(ROWS, names, strict=True)], "a,b,label"))
    assert field in images.label_names
    assert any(f'"{field}" is used like any other label' in note for note in images.notes)


@pytest.mark.parametrize("names", [(2019, 2020, 2021), (1990, 2000, 2010), tuple(range(400, 520, 10))])
def test_a_first_line_of_years_or_wavelengths_is_asked_about(tmp_path, names):
    rows = [[(7 * i * i + 3 * j) % 11 + 0.5 for j in range(len(names))] for i in range(6)]
    path = table(tmp_path, rows, ",".join(map(str, names)))
    with pytest.raises(DataError, match=r"may hold column names or data.*header=True or header=False"):
        open_images(path)
    assert open_images(path, header=True).n == 6
    assert open_images(path, header=True).columns == tuple(map(str, names))
    assert open_images(path, header=False).n == 7


def test_a_first_line_in_quotes_is_one_of_names(tmp_path):
    images = open_images(table(tmp_path, ROWS, '"2019","2020","2021"'))
    assert (images.n, images.columns) == (6, ("2019", "2020", "2021"))


def test_rows_that_rise_are_no_names(tmp_path):
    assert open_images(table(tmp_path, [(1, 2, 3), (4, 5, 6), (9, 1, 1)], "")).n == 3


@pytest.mark.parametrize("date", ["2024-01-02", "02.01.2024", "1/2/24", "2024-01-02T10:00:00", "12:30"])
@pytest.mark.parametrize("place", [0, 2])
def test_dates_are_left_out_and_are_no_labels(tmp_path, date, place):
    assert is_date(date)
    rows = [(*row[:place], date, *row[place + 1 :]) for row in ROWS]
    images = open_images(table(tmp_path, rows))
    assert images.labels is None
    assert any("which holds text" in note for note in images.notes)


def test_text_at_an_end_is_the_label_and_that_is_said(tmp_path):
    rows = [(*row[:2], "pq"[place % 2]) for place, row in enumerate(ROWS)]
    for header, name in (("a,b,species", '"species"'), ("", "2")):
        images = open_images(table(tmp_path, rows, header))
        assert images.label_names == ("p", "q")
        assert f'Labels: column {name}, which holds text. If it holds no labels: labels="none".' in images.notes


def test_fields_may_stand_apart_by_any_number_of_spaces(tmp_path):
    path = write(tmp_path / "x.txt", b"  3   8.5  2\n7 1.25     0\n   1  6.5 2\n")
    assert open_images(path).pixels.tolist() == [[3, 8.5, 2], [7, 1.25, 0], [1, 6.5, 2]]


def test_svmlight_is_refused_by_its_name(tmp_path):
    path = write(tmp_path / "x.txt", b"1 1:0.5 3:2\n0 2:1 # a comment\n")
    with pytest.raises(DataError, match=r"svmlight.*load_svmlight_file"):
        open_images(path)


@pytest.mark.parametrize("first", [0, 1, 7, 1990, 10001])
def test_a_column_that_counts_the_rows_from_anywhere_is_refused(tmp_path, first):
    rows = [(first + place, place * place % 7, place % 3) for place in range(12)]
    with pytest.raises(DataError, match=rf'column "when" counts the rows, {first} to {first + 11}'):
        open_images(table(tmp_path, rows, "when,a,b"))


@pytest.mark.parametrize("step", [0.5, -1, 60])
def test_a_column_that_rises_evenly_gets_a_word(tmp_path, step):
    rows = [(step * place, place * place % 7, place % 3) for place in range(12)]
    images = open_images(table(tmp_path, rows, "when,a,b"))
    assert images.columns == ("when", "a", "b")
    assert any('Clustered: column "when", which changes by' in note for note in images.notes)


def test_large_whole_numbers_are_rounded_and_that_is_said(tmp_path):
    images = open_images(table(tmp_path, [(10**18 + place * place, place % 3) for place in range(6)], "a,b"))
    assert any("2^53" in note for note in images.notes)


def test_columns_of_one_name_are_told_apart_by_number(tmp_path):
    path = table(tmp_path, ROWS, "a,a,b")
    with pytest.raises(DataError, match="several columns called 'a'"):
        open_images(path, without=["a"])
    assert open_images(path, without=[0]).columns == ("a", "b")


def test_a_line_that_ends_in_a_comma_has_a_column_to_leave_out(tmp_path):
    path = table(tmp_path, [(*row, "") for row in ROWS], "a,b,c,")
    with pytest.raises(DataError, match=r'column 4: the value is missing.*without="3"'):
        open_images(path)
    assert open_images(path, without=["3"]).columns == ("a", "b", "c")


def test_a_table_without_names_whose_end_has_few_values_gets_a_word(tmp_path, rng):
    rows = [(place % 3 + 1, *rng.random(3).round(3)) for place in range(40)]
    images = open_images(table(tmp_path, rows, ""))
    assert images.labels is None
    assert 'No column is used as the label. If one holds labels: labels="first" or labels="last".' in images.notes
    assert open_images(table(tmp_path, rows, ""), labels="first").label_names == ("1", "2", "3")


def test_identifiers_that_look_like_numbers_at_first_say_how_to_leave_them_out(tmp_path):
    rows = [(*row[:2], f"{place:08x}") for place, row in enumerate([*ROWS, *ROWS])]
    path = table(tmp_path, rows, "a,b,hash")
    with pytest.raises(DataError, match=r'is not a number.*without="hash"'):
        open_images(path)
    assert open_images(path, without="hash").columns == ("a", "b")


def test_every_field_may_stand_in_quotes(tmp_path):
    rows = [[f'"{value}"' for value in row] for row in ROWS]
    images = open_images(table(tmp_path, rows, '"alpha","beta","gamma"'))
    assert images.pixels.tolist() == [list(row) for row in ROWS]


def test_tables_that_r_and_excel_write(tmp_path):
    lines = [f'"{place}",{row[0]},{row[1]},"{"ab"[place % 2]}"' for place, row in enumerate(ROWS, 1)]
    path = write(tmp_path / "r.csv", "\n".join(['"","alpha","beta","kind"', *lines]).encode())
    images = open_images(path)
    assert (images.columns, images.label_names) == (("alpha", "beta"), ("a", "b"))
    path = write(tmp_path / "excel.csv", b"sep=;\r\nalpha;beta\r\n3;8.5\r\n7;1.25\r\n")
    assert open_images(path).pixels.tolist() == [[3, 8.5], [7, 1.25]]


def test_bars_between_spaces_part_columns(tmp_path):
    assert open_images(table(tmp_path, ROWS, "alpha | beta | gamma", " | ")).columns == ("alpha", "beta", "gamma")


def test_text_at_both_ends_is_no_label_by_itself(tmp_path):
    rows = [("pq"[place % 2], row[0], row[1], "xy"[place // 3]) for place, row in enumerate(ROWS)]
    path = table(tmp_path, rows, "city,a,b,kind")
    assert open_images(path).labels is None
    assert open_images(path).notes == ('Left out: columns "city", "kind", which hold text.',)
    assert open_images(path, labels="last").label_names == ("x", "y")
