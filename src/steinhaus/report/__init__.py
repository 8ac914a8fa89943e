"""A study's record -> one HTML page, figures, and files that other tools open. Nothing here knows an engine."""

from __future__ import annotations

from pathlib import Path

from steinhaus.report.data import Part, ReportData, ResultLike, from_result

__all__ = ["Part", "ReportData", "from_result", "render", "write_report"]


def render(data: ReportData) -> str:
    """The report as one HTML page; see `steinhaus.report.page.render`."""
    from steinhaus.report import page

    return page.render(data)


def write_report(result: ResultLike, path: Path) -> Path:
    """Write a study's report as one file, atomically, and give its path back."""
    from steinhaus.report import files

    return files.write(Path(path), render(from_result(result)).encode())
