"""The report in Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from visiting import FLAGS, Visitor

from report_studies import digits
from steinhaus.report import ReportData, render


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, headless."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    where = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if where is None:
        pytest.skip("needs Chromium on the path")
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=where, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Any, tmp_path: Path) -> Iterator[Visitor]:
    """Opens pages; at the end none of them may have been in trouble."""
    visitor = Visitor(chromium, tmp_path)
    yield visitor
    troubles = [t for visit in visitor.opened for t in visit.troubles]
    for visit in visitor.opened:
        visit.page.context.close()
    assert not troubles


@pytest.fixture(scope="session")
def study() -> ReportData:
    """1,797 digits, all of which go into one file."""
    return digits()


@pytest.fixture(scope="session")
def report(study: ReportData) -> str:
    """The page of that study."""
    return render(study)
