"""Numbers and names in a form for people; findings; a comparison of studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from report_studies import digits, make
from steinhaus.errors import SteinhausError
from steinhaus.report import compare, findings, notebook, words
from steinhaus.report.svg import Scale, labelled, line, prefixed, tag


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("猫の写真 قطة Straße", "猫の写真 قطة Straße"),
        ("\u202egpj.exe", "<U+202E>gpj.exe"),
        ("a\x00b\n", "a<U+0000>b<U+000A>"),
        (b"\xff".decode("utf-8", "surrogateescape"), "<U+DCFF>"),
        ("\u2028", "<U+2028>"),
        ("x" * 10_240, "x" * 120 + "… (10,240 characters)"),
        (7, "7"),
    ],
)
def test_names_made_fit_to_be_shown(raw: object, shown: str) -> None:
    assert words.clean(raw) == shown


def test_figures() -> None:
    assert words.share(0.5869) == "59\u202f%"
    assert words.share(None) == "–"
    assert words.inertia(1645926.690) == "1,645,926.7"
    assert words.inertia(0.0) == "0.000000"
    assert words.inertia(1.5e12) == "1,500,000,000,000"
    assert words.listing([5, 7, 10]) == "5, 7 and 10"
    assert words.ks([5, 7, 10, 12]) == "5, 7, 10 and 12"
    assert words.ks(list(range(2, 41, 2))) == "2 to 40 in steps of 2"
    assert words.ks(list(range(2, 21))) == "2 to 20"
    assert [words.duration(s) for s in (0.25, 3.14, 600)] == ["250\u202fms", "3.1\u202fs", "10.0\u202fmin"]


def test_scales_and_lines() -> None:
    assert Scale(0, 10, 0, 100).ticks() == [0, 2, 4, 6, 8, 10]
    assert Scale(1, 1000, 0, 90, log=True).ticks() == [1, 10, 100, 1000]
    assert Scale(1, 1000, 0, 90, log=True)(10.0) == pytest.approx(30)
    straight = line(np.arange(100.0), np.arange(100.0))
    assert straight == "M0.0,0.0L99.0,99.0"
    assert line(np.array([1.0]), np.array([2.0])) == "M1.0,2.0"
    assert prefixed([1.6e6]) == (1e6, "millions")
    assert tag("text", "<b>", x=1.0, aria_label='"') == '<text x="1" aria-label="&#34;">&lt;b&gt;</text>'


def test_findings_of_a_study_worked_by_hand() -> None:
    base = digits(ks=(10,), restarts=2)
    best = base.record.best[0]
    table = [[0] * 10 for _ in range(10)]
    for j in range(10):
        table[j][j] = 100
    table[4][4], table[4][9] = 60, 40  # 4 and 9 share cluster 4
    table[9] = [0] * 10
    table[9][8] = 100  # and no cluster is named 9
    confusion = tuple(tuple(row) for row in table)
    mapping = (*range(9), 8)
    agreement = replace(best.train, confusion=confusion)
    best = replace(best, train=agreement, mapping=mapping, test_accuracy=0.59)
    record = replace(base.record, best=(best,))
    assert findings.main(record, {}) == 10
    found = findings.findings(record, 10, {})
    assert found[0] == "With 10 clusters, 59\u202f% of the test images get the right label."
    assert found[1] == "These labels share clusters: 4 and 9."
    assert found[2] == "No cluster of K = 10 is named 9 (most of its images are in clusters named 4)."
    assert found[3] == "The purest cluster, named 0, is 100\u202f% pure."


def test_without_labels_the_silhouette_chooses() -> None:
    data = make(np.random.default_rng(0).normal(size=(40, 3)), None, None, ks=(2, 3, 4), full_scale=1.0)
    silhouettes = {2: 0.1, 3: 0.5, 4: 0.2}
    assert findings.main(data.record, silhouettes) == 3
    assert findings.findings(data.record, 3, silhouettes)[0] == "The silhouette is highest at K = 3: 0.50."


def test_a_comparison_matches_by_k() -> None:
    one, two = digits(ks=(3, 4), restarts=1), digits(ks=(4, 6), restarts=2)
    text = compare([one, two])
    for k in (3, 4, 6):
        assert f'id="k{k}"' in text
    assert text.count("Inertia of the best runs of K") == 1
    assert "different data" not in text
    assert "<script" not in text
    other = replace(two, record=replace(two.record, data=replace(two.record.data, sha256="00" * 32)))
    text = compare([one, other])
    assert "These studies used different data" in text
    assert "Best inertia against K" not in text


def test_a_comparison_needs_two() -> None:
    with pytest.raises(SteinhausError, match="takes 2 to 26 studies, not 1"):
        compare([digits(ks=(3,), restarts=1)])


def test_a_notebook_gets_a_frame_without_script() -> None:
    text = notebook(digits(ks=(3,), restarts=1))
    assert text.startswith("<iframe")
    assert 'sandbox=""' in text
    assert "&gt;digits&lt;/h1&gt;" in text
    assert "script" not in text.replace("Content-Security-Policy", "")


def test_names_from_right_to_left_keep_to_themselves() -> None:
    assert words.isolated("dog") == "dog"
    assert words.isolated("כלב") == "\u2068כלב\u2069"


def test_wide_names() -> None:
    assert [words.is_wide(name) for name in ("10", "dog", "猫", "動物")] == [False, True, False, True]


def test_ticks_have_as_many_decimals_as_the_one_that_needs_most() -> None:
    assert labelled([1.7e6, 1.75e6, 1.8e6], 1e6) == [(1.7e6, "1.70"), (1.75e6, "1.75"), (1.8e6, "1.80")]
    assert labelled([0.0, 2000.0], unit=" %") == [(0.0, "0 %"), (2000.0, "2,000 %")]
    assert labelled([1e-12, 2e-12]) == [(1e-12, "1e-12"), (2e-12, "2e-12")]


def test_the_figures_that_are_asked_for_first() -> None:
    study = digits(ks=(5, 10), restarts=3)
    best = study.record.best[1]
    shown = {what: figure for figure, what in findings.figures(study.record, 10, {10: 0.25})}
    assert shown["of the test images get the right label"] == words.share(best.test_accuracy, 1)
    assert shown["silhouette"] == "0.250"
    assert shown["runs within 0.1\u202f% of the best"].endswith(" of 3")
    unlabelled = replace(study.record, best=(replace(best, train_accuracy=None, test_accuracy=None),), runs=())
    assert findings.figures(unlabelled, 10, {}) == [(words.inertia(best.inertia, 7), "inertia of the best run")]
