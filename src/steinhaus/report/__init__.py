"""Turn a study's record into an HTML page, a folder, figures, and files for other tools, without an engine."""

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
    """Make the report as one self-contained HTML page.

    Parameters
    ----------
    data
        The data to show. Missing values are left out of the page.

    Returns
    -------
    str
        The page. Encode it as UTF-8.

    Examples
    --------
    >>> from steinhaus import Study
    >>> result = Study(k=[2], restarts=2).run([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> render(from_result(result))[:15]
    '<!doctype html>'
    """
    from steinhaus.report import page

    return page.render(data)


def compare(studies: Sequence[ReportData]) -> str:
    """Compare several studies on one HTML page.

    Parameters
    ----------
    studies
        Two or more studies. If their data differ, their inertia cannot be compared, and the page says so.

    Returns
    -------
    str
        The page. Encode it as UTF-8.
    """
    from steinhaus.report import comparison

    return comparison.render(studies)


def notebook(data: ReportData) -> str:
    """Make the static part of the report for a notebook cell: markup of a frame without script.

    Parameters
    ----------
    data
        The data to show.
    """
    from steinhaus.report import page

    return page.notebook(data)


def write_report(study: ResultLike | ReportData, path: Path) -> Path:
    """Write a study's report as one file, atomically, and return its path.

    Parameters
    ----------
    study
        A `StudyResult`, or its `ReportData`.
    path
        The HTML file to write.

    Returns
    -------
    Path
        `path`.
    """
    from steinhaus.report import files

    return files.write(Path(path), render(_data(study)).encode())


def write_folder(study: ResultLike | ReportData, folder: Path) -> Path:
    """Write a study's report as a folder with every image, and return the path of its page.

    Parameters
    ----------
    study
        A `StudyResult`, or its `ReportData`.
    folder
        The folder to write.

    Returns
    -------
    Path
        The page in the folder.
    """
    from steinhaus.report import folder as form

    return form.write(_data(study), Path(folder))


def _data(study: ResultLike | ReportData) -> ReportData:
    return study if isinstance(study, ReportData) else from_result(study)


def save_figures(data: ReportData, folder: Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw all figures of a study into a folder.

    Parameters
    ----------
    data
        The data of the study; see `from_result`.
    folder
        The folder. It is created if it is missing.
    formats
        "png" (150 dots per inch), "svg", or both. Default: "png".

    Returns
    -------
    list of Path
        The files written.
    """
    from steinhaus.report import figures

    return figures.save_figures(data, folder, formats)
