"""A person uses the report, by mouse and by keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from visiting import Visitor

from report_studies import make
from steinhaus.report import ReportData, folder, page
from steinhaus.report.page import static

pytestmark = pytest.mark.browser


def number(text: str) -> int:
    """The first count in a text."""
    found = re.search(r"[\d,]+", text)
    assert found is not None
    return int(found[0].replace(",", ""))


def choose_k(view: Any, k: int) -> None:
    view.locator("#chooser label", has=view.locator(f'input[value="{k}"]')).click()


def open_cluster(view: Any, cluster: int) -> None:
    view.locator(f'.k-view.shown .card[data-cluster="{cluster}"] .open').click()


@pytest.mark.parametrize("framed", [False, True], ids=["file", "sandbox"])
def test_by_mouse(visitor: Visitor, study: ReportData, report: str, framed: bool) -> None:
    view = visitor.open(report, framed=framed).view
    best = study.record.best[0]
    choose_k(view, best.k)
    assert view.locator(".k-view:visible").count() == 1
    view.locator(".k-view.shown select.sort").select_option("size")
    cards = view.locator(".k-view.shown .card")
    sizes = [int(cards.nth(i).get_attribute("data-size")) for i in range(best.k)]
    assert sizes == sorted(best.sizes, reverse=True)

    largest = int(cards.first.get_attribute("data-cluster"))
    members = best.sizes[largest] + (best.test_sizes or ())[largest]
    cards.first.locator(".open").click()
    assert f"{members:,} members" in view.locator("#cluster-facts").inner_text()
    view.click("#page-last")
    status = view.locator("#cluster-status").inner_text()
    assert f"to {members:,} of {members:,}" in status
    tiles = view.locator("#tiles button")
    assert tiles.count() == (members - 1) % 96 + 1

    tiles.last.click()
    assert view.locator("#image").is_visible()
    assert view.locator("#image-near li").count() == 3
    assert view.locator("#image-count").inner_text() == f"{members:,} of {members:,}"
    assert view.locator("#image-on").is_disabled()
    view.click("#image-close")
    assert not view.locator("#image").is_visible()
    assert view.locator("#cluster").is_visible()
    view.click("#cluster-close")
    assert not view.locator("#cluster").is_visible()


@pytest.mark.parametrize("framed", [False, True], ids=["file", "sandbox"])
def test_by_keyboard(visitor: Visitor, study: ReportData, report: str, framed: bool) -> None:
    visit = visitor.open(report, framed=framed)
    view, keys = visit.view, visit.page.keyboard
    view.locator('#chooser input[value="10"]').focus()
    keys.press("ArrowLeft")
    assert view.locator(".k-view.shown").get_attribute("data-k") == "5"
    for _ in range(2):
        keys.press("Tab")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    cluster = int(view.evaluate("document.activeElement.closest('.card').dataset.cluster"))
    assert cluster == 2
    keys.press("Enter")
    assert view.locator("#cluster").is_visible()
    view.locator("#tiles button").first.focus()
    keys.press("ArrowDown")
    assert int(view.evaluate("document.activeElement.dataset.place")) > 1
    keys.press("Home")
    keys.press("PageDown")
    assert view.evaluate("document.activeElement.dataset.place") == "96"
    keys.press("Enter")
    assert view.locator("#image").is_visible()
    keys.press("ArrowLeft")
    members = study.record.best[0].sizes[cluster] + (study.record.best[0].test_sizes or ())[cluster]
    assert view.locator("#image-count").inner_text() == f"96 of {members:,}"
    keys.press("Escape")
    assert not view.locator("#image").is_visible()
    view.locator('#tiles button[data-place="95"]:focus').wait_for()  # focus goes back once the dialog has closed
    keys.press("Escape")
    assert not view.locator("#cluster").is_visible()
    assert int(view.evaluate("document.activeElement.closest('.card').dataset.cluster")) == cluster


def reached(view: Any, k: int, clusters: int) -> list[str]:
    """What every tile of every cluster of a K is called, by paging through all of them."""
    choose_k(view, k)
    found: list[str] = []
    for cluster in range(clusters):
        open_cluster(view, cluster)
        while True:
            found += view.locator("#tiles button").evaluate_all(
                "all => all.map(b => /^Image [0-9,]*[0-9]/.exec(b.ariaLabel)[0])"
            )
            if view.locator("#page-on").is_disabled():
                break
            view.click("#page-on")
        view.click("#cluster-close")
    return found


def test_every_member_is_reached_once(visitor: Visitor, study: ReportData, report: str) -> None:
    view = visitor.open(report).view
    for best in study.record.best:
        found = reached(view, best.k, best.k)
        assert len(found) == len(set(found)) == study.record.data.n_train + study.record.data.n_test


def test_the_lists_are_what_they_say(visitor: Visitor, study: ReportData, report: str) -> None:
    view = visitor.open(report).view
    best = study.record.best[1]
    choose_k(view, best.k)
    cluster = int(np.argmin([b[m] / max(sum(b), 1) for b, m in zip(best.train.confusion, best.mapping, strict=True)]))
    label = best.mapping[cluster]
    open_cluster(view, cluster)
    names = study.record.data.label_names
    for part, table in (("train", best.train), ("test", best.test)):
        view.locator("#cluster label", has_text=part.capitalize()).click()
        view.locator("#cluster label", has_text="Wrongly named").click()
        wrong = sum(table.confusion[cluster]) - table.confusion[cluster][label]
        assert number(view.locator("#cluster-status").inner_text().split(" of ")[1]) == wrong
        assert view.locator("#tiles button.wrong").count() == min(wrong, 96)
        assert names[label] not in view.locator("#tiles .label").all_inner_texts()


def test_a_choice_says_that_it_is_one(visitor: Visitor, study: ReportData) -> None:
    view = visitor.open(page.render(study, most=500)).view
    best = study.record.best[1]
    choose_k(view, best.k)
    open_cluster(view, 0)
    members = best.sizes[0] + best.test_sizes[0]
    status = view.locator("#cluster-status").inner_text()
    assert "96, nearest first. This file holds 96 of" in status
    assert f"{members:,}" in status


def test_the_folder_shows_its_sheets(visitor: Visitor, study: ReportData, tmp_path: Path) -> None:
    visit = visitor.open(folder.write(study, tmp_path / "report"))
    view = visit.view
    choose_k(view, 10)
    open_cluster(view, 0)
    view.wait_for_timeout(300)
    assert view.locator(".missing").count() == 0
    from PIL import Image

    shot = tmp_path / "tile.png"
    view.locator("#tiles .picture").first.screenshot(path=shot)
    shades = np.asarray(Image.open(shot).convert("L"))
    assert shades.min() < 40
    assert shades.max() > 200
    view.click("#cluster-close")
    found = reached(view, 5, 5)
    assert len(set(found)) == study.record.data.n_train + study.record.data.n_test


def test_curves_are_read_off(visitor: Visitor, study: ReportData, report: str) -> None:
    visit = visitor.open(report)
    view = visit.view
    k = int(view.locator(".k-view.shown").get_attribute("data-k"))
    svg = view.locator(".k-view.shown svg.curves:visible")
    svg.hover(position={"x": 60, "y": 80})
    assert view.locator(".k-view.shown .readout").inner_text().startswith("Iteration ")
    svg.focus()
    for _ in range(400):
        visit.page.keyboard.press("ArrowLeft")
    runs = [r for r in study.record.runs if r.k == k]
    text = view.locator(".k-view.shown .readout").inner_text()
    assert text.startswith("Iteration 1.")
    assert f"run 1: {runs[0].inertia[0]:,.3f}".rstrip("0") in text
    view.locator(".k-view.shown label", has_text="log").click()
    assert view.locator(".k-view.shown svg.curves:visible").get_attribute("data-log") == "1"


def test_a_disc_of_the_map_opens_its_cluster(visitor: Visitor, report: str) -> None:
    view = visitor.open(report).view
    view.locator('.k-view.shown .map .node[data-cluster="3"]').click()
    assert view.locator("#cluster-title").inner_text().startswith("Cluster 3")


def test_without_scripts_it_is_a_whole_document(visitor: Visitor, study: ReportData, report: str) -> None:
    view = visitor.open(report, scripts=False).view
    assert view.locator(".card:visible").count() == sum(b.k for b in study.record.best)
    assert view.locator("table.confusion:visible").count() == len(study.record.best)
    assert view.locator("svg.chart:visible").count() >= 3 * len(study.record.best)
    assert view.locator("button:visible").count() == 0
    assert view.locator("dialog:visible").count() == 0
    first = view.locator(".k-view").first
    first.locator("label", has_text="shares").click()
    assert "%" in first.locator("table.confusion:visible").inner_text()


def test_vectors_and_colour(visitor: Visitor) -> None:
    rng = np.random.default_rng(2)
    vectors = make(rng.normal(size=(300, 20)), None, None, full_scale=1.0, ks=(4,))
    view = visitor.open(page.render(vectors)).view
    open_cluster(view, 1)
    assert view.locator("#tiles .picture").count() == min(96, int((vectors.clusters(4) == 1).sum()))
    colour = make(rng.integers(0, 256, (120, 20, 24, 3), dtype=np.uint8), rng.integers(0, 3, 120), ("a", "b", "c"))
    view = visitor.open(page.render(colour)).view
    open_cluster(view, 0)
    view.locator("#tiles button").first.click()
    assert view.locator("#image canvas").get_attribute("width") == "24"


def test_the_static_page_has_no_script(visitor: Visitor, study: ReportData) -> None:
    view = visitor.open(static(study)).view
    assert view.locator("script").count() == 0
    assert view.locator(".card:visible").count() == sum(b.k for b in study.record.best)
