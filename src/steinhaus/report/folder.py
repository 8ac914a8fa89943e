"""The report as a folder with every image: a page, and sheets of images that are loaded when needed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from steinhaus.report import files, members, page, pictures
from steinhaus.report.data import ReportData

AHEAD = 16  # sheets packed ahead


def write(data: ReportData, folder: Path) -> Path:
    """Write `index.html` and `sheets/*.webp` into a folder, each file atomically, the page last.

    Returns
    -------
    Path
        The page. Open it in a browser; no server is needed.
    """
    measured = page.measure(data)
    if not measured.near:
        return files.write(folder / "index.html", page.assemble(data, measured, None).encode())
    carried = page.carry(data, measured, None)
    sheets = folder / "sheets"
    per_sheet = carried.layout.per_sheet
    names = [f"{i:05d}.webp" for i in range(-(-len(carried.ids) // per_sheet))]
    with ThreadPoolExecutor(page.THREADS) as pool:
        for start in range(0, len(names), AHEAD):
            ids = carried.ids[start * per_sheet : (start + AHEAD) * per_sheet]
            packed = pool.map(
                partial(pictures.webp, quality=carried.layout.quality), members.sheets(data, ids, carried.layout)
            )
            for name, content in zip(names[start : start + AHEAD], packed, strict=True):
                files.write(
                    sheets / name, content, flush=False
                )  # there may be thousands, and they are easy to draw again
    for old in set(sheets.glob("*.webp")) - {sheets / name for name in names}:
        old.unlink()
    addresses = {"sheets": [f"sheets/{name}" for name in names]}
    return files.write(folder / "index.html", page.assemble(data, measured, {**carried.payload, **addresses}).encode())
