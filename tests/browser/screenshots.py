"""Screenshots of the report in every state, to be looked at: python tests/browser/screenshots.py REPORT.html [FOLDER]

REPORT.html is a report of MNIST in one file; other data are made up here. FOLDER is `screenshots`, which git ignores.
With `--readme FILE`, the picture in README is drawn too; with `--only WORD`, nothing but what has WORD in its name.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright
from visiting import FLAGS

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_hostile_names import HOSTILE

from report_studies import make
from steinhaus.report import ReportData, compare, render

Deed = Callable[[Any], Any]
WIDTHS = (1440, 768, 390)
WORDS = ("قطة", "כלב", "猫", "いぬ", "고양이", "собака", "γάτα", "บ้าน", "हाथी", "Straßenbahnhaltestelle")


@dataclass
class Camera:
    """Opens pages and takes pictures of them."""

    browser: Any
    folder: Path
    only: str

    def page(self, report: Path, width: int, **options: Any) -> Any:
        size = {"width": width, "height": 900}
        page = self.browser.new_context(viewport=size, **options).new_page()
        page.goto(report.resolve().as_uri())
        return page

    def shoot(self, name: str, report: Path, width: int, do: Deed | None = None, **options: Any) -> None:
        """A picture of the whole page, or of what `do` gives back, after doing it."""
        if self.only not in name:
            return
        page = self.page(report, width, **options)
        shown = do(page) if do else None
        page.wait_for_timeout(300)
        if shown is None:
            page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        elif shown is page:
            page.screenshot(path=self.folder / f"{name}.png")
        else:
            shown.screenshot(path=self.folder / f"{name}.png")
        page.context.close()


def choose_k(page: Any, k: int) -> None:
    page.locator("#chooser label", has=page.locator(f'input[value="{k}"]')).click()


def first_screen(page: Any) -> Any:
    return page


def curves(page: Any) -> Any:
    page.locator(".k-view.shown label", has_text="log").click()
    page.locator(".k-view.shown svg.curves:visible").focus()
    page.keyboard.press("ArrowLeft")
    return page.locator(".k-view.shown .charts").first


def cluster(page: Any) -> Any:
    page.locator(".k-view.shown .open").first.click()
    return page


def wrong(page: Any) -> Any:
    cluster(page)
    page.locator("#cluster label", has_text="Wrongly").click()
    return page


def image(page: Any) -> Any:
    cluster(page)
    page.locator("#tiles button").first.click()
    return page


def middle(page: Any) -> Any:
    """Confusion and map."""
    page.locator(".k-view.shown label", has_text="shares").click()
    return page.locator(".k-view.shown .charts").last


def flow(page: Any) -> Any:
    return page.locator(".flows")


def link(page: Any) -> Any:
    """A band of the flow, hovered."""
    page.locator(".flow .link").nth(3).hover(force=True)
    return page


def last_k(page: Any) -> None:
    page.locator("#chooser label").last.click()


STATES = {"page": None, "first": first_screen, "curves": curves, "cluster": cluster, "wrong": wrong, "image": image,
          "map": middle, "flow": flow, "link": link}  # fmt: skip


def others() -> dict[str, ReportData]:
    """Studies of other data than MNIST, under the names of their pictures."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:32, 0:32] / 31
    kinds = rng.integers(0, 6, 1500)
    hues = rng.random((6, 3))
    shapes = np.stack([np.sin((2 + i) * (x + (i % 2) * y) + i) ** 2 for i in range(6)])
    colour = shapes[kinds][..., None] * hues[kinds][:, None, None, :] + rng.normal(0, 0.12, (1500, 32, 32, 3))
    colour = (255 * np.clip(colour, 0, 1)).astype(np.uint8)
    grey = colour.mean(axis=3).astype(np.uint8)
    species = rng.integers(0, 3, 600)
    bumps = np.exp(-np.square(np.arange(40)[None] - 8 - 11 * species[:, None]) / 30) + rng.normal(0, 0.15, (600, 40))
    return {
        "colour": make(colour, kinds, ("brick", "leaf", "sea", "rust", "plum", "slate"), name="textures", ks=(3, 6, 9)),
        "unlabelled": make(grey, None, None, name="textures, grey", ks=(2, 3, 4, 5, 6, 8)),
        "vectors": make(bumps, species, ("setosa", "versicolor", "virginica"), full_scale=1.0, name="spectra"),
        "wall": make(grey, kinds, tuple(f"kind {i}" for i in range(6)), name="many clusters", ks=(20, 60, 200)),
        "scripts": make(grey, np.arange(1500) % 10, WORDS, name="تجربة · 実験", ks=(4, 10)),
        "hostile": make(grey[:240, :6, :6], np.arange(240) % 12, tuple(HOSTILE), name=HOSTILE[0], ks=(6, 12),
                        files=tuple(f"{HOSTILE[i % 12]}/{i}" for i in range(240))),
        "large": make(np.kron(grey[:60], np.ones((1, 8, 8), np.uint8)), kinds[:60], tuple("abcdef"), name="256 x 256"),
    }  # fmt: skip


def shoot_all(camera: Camera, report: Path) -> None:
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            for name, do in STATES.items():
                camera.shoot(f"{name}-{width}-{scheme}", report, width, do, color_scheme=scheme)
    camera.shoot("scripts-off-1440", report, 1440, java_script_enabled=False)
    camera.shoot("scripts-off-390", report, 390, java_script_enabled=False)
    if "print".startswith(camera.only):
        page = camera.page(report, 1000)
        page.pdf(path=camera.folder / "print.pdf", format="A4")
        page.context.close()
    studies = others()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in studies.items():
            path = Path(folder, f"{name}.html")
            path.write_text(render(data), encoding="utf-8")
            for width in (1440, 390):
                camera.shoot(f"{name}-{width}", path, width, last_k if name == "wall" else None)
            camera.shoot(f"{name}-cluster", path, 1440, cluster)
            camera.shoot(f"{name}-image", path, 1440, image)
        path = Path(folder, "compare.html")
        path.write_text(compare([studies["colour"], studies["unlabelled"]]), encoding="utf-8")
        camera.shoot("compare-1440", path, 1440)
        camera.shoot("compare-390", path, 390)


def shoot_readme(camera: Camera, report: Path, picture: Path) -> None:
    """All that there is to see of the chosen K, as README shows it."""
    page = camera.page(report, 1240)
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
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        camera = Camera(browser, given.folder, given.only)
        if given.readme:
            shoot_readme(camera, given.report, given.readme)
        shoot_all(camera, given.report)
        browser.close()


if __name__ == "__main__":
    main()
