"""axe-core finds no problem in any state of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from visiting import Visit, Visitor

from report_studies import digits, make
from steinhaus import Study, open_images
from steinhaus.report import ReportData, compare, from_result, page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def axe() -> Any:
    return pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra `browser`").Axe()


def complaints(axe: Any, visit: Visit) -> list[str]:
    """What axe-core finds: rule, and where."""
    found = axe.run(visit.page).response["violations"]
    return [f"{v['id']}: {node['target']} {node['failureSummary']}" for v in found for node in v["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
def test_the_page(visitor: Visitor, axe: Any, report: str, width: int, scheme: str) -> None:
    visit = visitor.open(report, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert complaints(axe, visit) == []
    view = visit.view
    view.locator(".k-view.shown label", has_text="shares").click()
    view.locator(".k-view.shown label", has_text="log").click()
    view.locator(".k-view.shown .open").first.click()
    assert complaints(axe, visit) == []
    view.locator("#cluster label", has_text="Wrongly named").click()
    assert complaints(axe, visit) == []
    view.locator("#tiles button").first.click()
    assert complaints(axe, visit) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_script_and_side_by_side(visitor: Visitor, axe: Any, study: ReportData, scheme: str) -> None:
    assert complaints(axe, visitor.open(page.static(study), color_scheme=scheme)) == []
    other = digits(ks=(4, 5), restarts=2)
    assert complaints(axe, visitor.open(compare([study, other]), color_scheme=scheme)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_walls_vectors_and_no_labels(visitor: Visitor, axe: Any, scheme: str) -> None:
    rng = np.random.default_rng(3)
    wall = make(rng.integers(0, 256, (400, 8, 8, 3), dtype=np.uint8), None, None, ks=(2, 120), restarts=1, max_iter=3)
    visit = visitor.open(page.render(wall), color_scheme=scheme)
    visit.view.locator("#chooser label").last.click()
    assert complaints(axe, visit) == []
    vectors = make(rng.normal(size=(200, 13)), rng.integers(0, 2, 200), ("no", "yes"), full_scale=1.0, ks=(1, 3))
    assert complaints(axe, visitor.open(page.render(vectors), color_scheme=scheme)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_medoids_of_a_study_of_features(visitor: Visitor, axe: Any, scheme: str) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (300, 8, 8, 3), dtype=np.uint8)
    images = open_images(pixels, labels=rng.integers(0, 4, 300), features=rng.normal(size=(300, 6)))
    visit = visitor.open(page.render(from_result(Study(k=(3, 40), restarts=1).run(images))), color_scheme=scheme)
    assert complaints(axe, visit) == []
    visit.view.locator(".k-view.shown .open").first.click()
    visit.view.locator("#tiles button").first.click()
    assert complaints(axe, visit) == []
