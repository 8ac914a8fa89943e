"""Open pages like a person, and record every error in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
