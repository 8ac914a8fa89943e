"""Screenshots of the report in every state, to be looked at: python tests/browser/screenshots.py REPORT.html [FOLDER]

REPORT.html is a report in one file; FOLDER is `screenshots`, which git ignores. With `--readme FILE`, the picture in
README is drawn too.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from visiting import FLAGS

WIDTHS = (1440, 768, 390)


def open_page(browser: Any, report: Path, width: int, scheme: str = "light", **options: Any) -> Any:
    size = {"width": width, "height": 900}
    page = browser.new_context(viewport=size, color_scheme=scheme, **options).new_page()
    page.goto(report.resolve().as_uri())
    return page


def shoot(browser: Any, report: Path, folder: Path) -> None:
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            page = open_page(browser, report, width, scheme)
            page.screenshot(path=folder / f"page-{width}-{scheme}.png", full_page=True)
            page.locator(".k-view.shown label", has_text="log").click()
            page.locator(".k-view.shown svg.curves:visible").focus()
            page.keyboard.press("ArrowLeft")
            page.locator(".k-view.shown .charts").first.screenshot(path=folder / f"curves-{width}-{scheme}.png")
            page.locator(".k-view.shown .open").first.click()
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"cluster-{width}-{scheme}.png")
            page.locator("#tiles button").nth(3).click()
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"image-{width}-{scheme}.png")
            page.context.close()
    page = open_page(browser, report, 1440, java_script_enabled=False)
    page.screenshot(path=folder / "scripts-off.png", full_page=True)
    page.context.close()
    page = open_page(browser, report, 1000)
    page.pdf(path=folder / "print.pdf", format="A4")
    page.context.close()


def shoot_readme(browser: Any, report: Path, picture: Path) -> None:
    """All that there is to see of the chosen K, as README shows it."""
    page = open_page(browser, report, 1240)
    top = page.locator("#chooser").bounding_box()["y"]
    last = page.locator(".k-view.shown .charts").last.bounding_box()
    clip = {"x": 0, "y": top - 6, "width": 1240, "height": last["y"] + last["height"] - top + 12}
    page.screenshot(path=picture, clip=clip, full_page=True)
    page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Screenshots of a report in every state.")
    parser.add_argument("report", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("screenshots"))
    parser.add_argument("--readme", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        if given.readme:
            shoot_readme(browser, given.report, given.readme)
        shoot(browser, given.report, given.folder)
        browser.close()


if __name__ == "__main__":
    main()
