"""The published study's report on real MNIST: its size, time and memory, and all 70,000 images."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from visiting import Visitor

from steinhaus import Study, open_images
from steinhaus.report import ReportData, folder, from_result, render

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def study() -> ReportData:
    if not (os.environ.get("STEINHAUS_DATA") and Path(os.environ["STEINHAUS_DATA"], "mnist").is_dir()):
        pytest.skip("needs MNIST: STEINHAUS_DATA names the folder that holds it")
    return from_result(Study().run(open_images("mnist")))


def megabytes(chromium: Any) -> float:
    """The memory of the largest tab, without the program's own code."""
    processes = chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    tabs = [Path(f"/proc/{p['id']}/status").read_text("ascii") for p in processes if p["type"] == "renderer"]
    fields = [dict(line.split(":", 1) for line in tab.splitlines()) for tab in tabs]
    return max((int(f["RssAnon"].split()[0]) + int(f["RssShmem"].split()[0])) / 1024 for f in fields)


def test_one_file(visitor: Visitor, study: ReportData) -> None:
    began = time.perf_counter()
    text = render(study)
    built = time.perf_counter() - began
    assert len(text.encode()) < 5_000_000
    assert built < 4 * 3  # 4 s on 2 free cores; a busy machine takes longer
    view = visitor.open(text).view
    paint, ready = view.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " performance.getEntriesByType('navigation')[0].domInteractive]"
    )
    assert max(paint, ready) < 1500 * 3
    for best in study.record.best:
        sizes = view.locator(f'.k-view[data-k="{best.k}"] .card').evaluate_all("all => all.map(c => +c.dataset.size)")
        assert sum(sizes) == 42_000


def test_the_folder_reaches_every_image(visitor: Visitor, chromium: Any, study: ReportData, tmp_path: Path) -> None:
    view = visitor.open(folder.write(study, tmp_path / "report")).view
    members = 0
    most = 0.0
    for cluster in range(10):
        view.locator(f'.k-view.shown .card[data-cluster="{cluster}"] .open').click()
        label = view.locator("#cluster label", has_text="At random" if cluster % 2 else "Farthest")
        label.click()
        for _ in range(5):
            view.click("#page-on")
            view.wait_for_timeout(50)
        view.click("#page-last")
        view.wait_for_function("document.querySelectorAll('.missing').length === 0")
        last = view.locator("#tiles button").last
        members += int(last.get_attribute("data-place")) + 1
        most = max(most, megabytes(chromium))
        view.click("#cluster-close")
    assert members == 70_000
    assert most < 300
