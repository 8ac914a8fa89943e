"""The report in Chromium: pages opened as a person opens them, with everything that goes wrong in them written down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from report_studies import digits
from steinhaus.report import ReportData, render

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


@dataclass
class Visit:
    """A page that is open: `view` is what to click in (the page, or the frame that holds it)."""

    page: Any
    view: Any
    troubles: list[str] = field(default_factory=list)


@dataclass
class Visitor:
    """Opens pages, and notes console messages, errors and requests that leave them."""

    chromium: Any
    folder: Path
    opened: list[Visit] = field(default_factory=list)

    def open(self, page: str | Path, *, framed: bool = False, scripts: bool = True, **context: Any) -> Visit:
        """Open a page (its text, or the file it is in) from file://, or in a sandboxed frame without an origin."""
        path = page
        if isinstance(page, str):
            path = self.folder / f"page{len(self.opened)}.html"
            path.write_text(page, encoding="utf-8")
        assert isinstance(path, Path)
        options = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", **context}
        tab = self.chromium.new_context(java_script_enabled=scripts, **options).new_page()
        visit = Visit(tab, tab)
        self.opened.append(visit)
        tab.on("console", lambda message: visit.troubles.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: visit.troubles.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: (visit.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else visit.troubles.append(r.url))
        if framed:
            outer = path.with_suffix(".frame.html")
            outer.write_text(f'<iframe sandbox="allow-scripts" src="{path.name}" width="1200" height="850"></iframe>')
            tab.goto(outer.as_uri())
            visit.view = tab.frames[1]
            visit.view.wait_for_selector("h1")
        else:
            tab.goto(path.as_uri())
        return visit


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
