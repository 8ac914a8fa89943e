"""A study's record -> one HTML page, a folder, figures, files that other tools open. Nothing here knows an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steinhaus.report.data import Part, ReportData, ResultLike, from_result

__all__ = [
    "Part",
    "ReportData",
    "compare",
    "from_result",
    "notebook",
    "render",
    "save_figures",
    "write_folder",
    "write_report",
]


def render(data: ReportData) -> str:
    """The report as one HTML page that needs nothing else; see `steinhaus.report.page.render`."""
    from steinhaus.report import page

    return page.render(data)


def compare(studies: Sequence[ReportData]) -> str:
    """Several studies side by side as one HTML page; see `steinhaus.report.comparison.render`."""
    from steinhaus.report import comparison

    return comparison.render(studies)


def notebook(data: ReportData) -> str:
    """The static part of the report as markup for a notebook's cell: a frame of its own, without script."""
    from steinhaus.report import page

    return page.notebook(data)


def write_report(study: ResultLike | ReportData, path: Path) -> Path:
    """Write a study's report as one file, atomically, and give its path back."""
    from steinhaus.report import files

    return files.write(Path(path), render(_data(study)).encode())


def write_folder(study: ResultLike | ReportData, folder: Path) -> Path:
    """Write a study's report as a folder that holds every image, and give the path of its page back."""
    from steinhaus.report import folder as form

    return form.write(_data(study), Path(folder))


def _data(study: ResultLike | ReportData) -> ReportData:
    return study if isinstance(study, ReportData) else from_result(study)


def save_figures(data: ReportData, folder: Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw every figure into a folder; see `steinhaus.report.figures.save_figures`."""
    from steinhaus.report import figures

    return figures.save_figures(data, folder, formats)
