"""Measure the report of the published study: python tests/browser/figures.py

How long it takes to build, how large it is, when it is painted and can be used in Chromium, and the memory of a tab
that shows the folder form. MNIST is where STEINHAUS_DATA says. Times are medians of five.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from test_mnist import megabytes
from visiting import FLAGS

from steinhaus import Study, open_images
from steinhaus.report import ReportData, folder, from_result, render

ROUNDS = 5


def paints(browser: Any, page: Path) -> tuple[float, float]:
    """Milliseconds until something is painted, and until the page's script has run."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    view = context.new_page()
    view.goto(page.as_uri())
    found = view.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd]"
    )
    context.close()
    return found[0], found[1]


def memory(browser: Any, data: ReportData, target: Path) -> float:
    """The tab's largest memory, in MB, while the last pages of every cluster are looked at."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    view = context.new_page()
    view.goto(folder.write(data, target).as_uri())
    most = 0.0
    for cluster in range(10):
        view.locator(f'.k-view.shown .card[data-cluster="{cluster}"] .open').click()
        view.locator("#cluster label", has_text="At random").click()
        for _ in range(5):
            view.click("#page-on")
            view.wait_for_timeout(50)
        view.click("#page-last")
        view.wait_for_timeout(100)
        most = max(most, megabytes(browser))
        view.click("#cluster-close")
    context.close()
    return most


def main() -> None:
    data = from_result(Study().run(open_images("mnist")))
    built = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        text = render(data)
        built.append(time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as session:
        page = Path(place, "report.html")
        page.write_text(text, encoding="utf-8")
        browser = session.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        times = [paints(browser, page) for _ in range(ROUNDS)]
        paint, ready = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"built in               {statistics.median(built):6.2f} s (min {min(built):.2f}, max {max(built):.2f})")
        print(f"size                   {len(text.encode()) / 1e6:6.2f} MB")
        print(f"first paint            {paint / 1000:6.2f} s")
        print(f"interactive            {ready / 1000:6.2f} s")
        print(f"memory, folder form    {memory(browser, data, Path(place, 'folder')):6.0f} MB")
        print(f"Python {platform.python_version()}, Chromium {browser.version}, {platform.machine()}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
