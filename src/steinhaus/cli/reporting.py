"""`steinhaus report`: draw a study's report again, compare studies, export assignments to other tools."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steinhaus.cli import arguments
from steinhaus.cli.drawing import FigureProcess, figure_process
from steinhaus.cli.finding import with_images
from steinhaus.cli.progress import watching
from steinhaus.cli.words import tell
from steinhaus.errors import DataError

if TYPE_CHECKING:
    from steinhaus.features.asked import Features
    from steinhaus.report import ReportData
    from steinhaus.study import StudyResult

Pages = dict[str, list[Path]]  # kind of page -> its files
EXPORTS = ("csv", "parquet", "atlas", "fiftyone")


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True)
@click.option("--source", metavar="SOURCE", help="The study's images. [default: those of its command]")
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@click.option("--folder", "whole", is_flag=True, help="Write a folder, DIR/report/, with every image.")
@click.option(
    "--formats",
    metavar="LIST",
    type=arguments.Formats(),
    help="Formats of the figures: png, svg, or png,svg. [default: png]",
)
@click.option("--export", "form", type=click.Choice(EXPORTS), help="Write the assignments of one K for another tool.")
@click.option(
    "--k", metavar="K", type=click.IntRange(1), help="With --export: the K to write. [default: the study's largest]"
)
@click.option("--out", metavar="FILE", help="The file to write, for several studies or an export.")
@arguments.source_features
@arguments.reading_options
@arguments.quiet_option
@arguments.debug_option
def report(
    *,
    folders: tuple[str, ...],
    source: str | None,
    open_it: bool,
    whole: bool,
    formats: tuple[str, ...] | None,
    form: str | None,
    k: int | None,
    out: str | None,
    features: Features | None,
    reading: dict[str, Any],
    quiet: bool,
) -> None:
    """Draw the report and the figures of a study again.

    DIR is the folder of a study. The report shows single images only if the study's images can be opened.

    With several DIR, compare the studies on one page: --out FILE. With --export, write the cluster of every image for
    another tool. For fiftyone, --out is a folder.
    """
    from steinhaus.study import load

    alone = {
        "--source": source,
        "--features": features,
        "--folder": whole,
        "--formats": formats,
        "--export": form,
        "--k": k,
    }
    alone |= {f"--{name.replace('_', '-')}": value for name, value in reading.items()}
    if len(folders) > 1:
        _refuse(alone, "is for one study: give one DIR.")
        pages = _compared([load(folder) for folder in folders], _target(out, "compare.html"))
    elif form is not None:
        _refuse(
            {"--open": open_it, "--folder": whole, "--formats": formats}, "cannot be used with --export: leave it out."
        )
        target = _target(out, "exported" if form == "fiftyone" else f"exported.{'csv' if form == 'csv' else 'parquet'}")
        with watching(quiet) as watch:
            pages = _exported(with_images(folders[0], source, reading, features, watch), form, k, target)
    else:
        _refuse({"--k": k}, "needs --export.")
        _refuse({"--out": out}, "needs several studies, or --export: the report of one study stays in its folder.")
        with figure_process() as helper, watching(quiet) as watch:
            result = with_images(folders[0], source, reading, features, watch)
            pages = draw(result, Path(folders[0]), formats or ("png",), whole=whole, helper=helper)
        if result.images is None:
            tell("The study's images were not found, so the report shows none of them. Name them with --source.")
    click.echo(where(pages))
    if open_it:
        _show(next(iter(pages.values()))[0])


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None and value is not False:
            raise click.UsageError(f"{name} {why}")


def _target(out: str | None, example: str) -> Path:
    if out is None:
        raise click.UsageError(f"Give the file to write: --out {example}.")
    return Path(out).expanduser()


def _compared(results: Sequence[StudyResult], path: Path) -> Pages:
    """Write a page that compares several studies."""
    from steinhaus.report import compare, files, from_result

    return {"compare": [files.write(path, compare([from_result(result) for result in results]).encode())]}


def _exported(result: StudyResult, form: str, k: int | None, path: Path) -> Pages:
    """Write the assignments of one K."""
    from steinhaus.report import exports, from_result

    if not result.record.complete:
        raise DataError(f"{result.out} is not finished yet. Give the study's command again to resume it.")
    if result.images is None:
        raise DataError(
            f"An export needs the images of {result.out}, which were not found. Name them with --source, and give the "
            "same options for reading them as in the study."
        )
    write = {
        "csv": exports.write_csv,
        "parquet": exports.write_parquet,
        "atlas": exports.write_atlas,
        "fiftyone": exports.write_fiftyone,
    }[form]
    return {form: [write(from_result(result), k or result.best[-1].k, path)]}


def draw(
    result: StudyResult,
    folder: Path,
    formats: Sequence[str] = ("png",),
    *,
    whole: bool = False,
    helper: FigureProcess | None = None,
) -> Pages:
    """Write the report and the figures of a study into its folder.

    Parameters
    ----------
    result, folder
        The study, and its folder.
    formats
        Formats of the figures: "png", "svg".
    whole
        Whether to write the report as a folder with every image, instead of one file.
    helper
        Draws the figures of a finished study meanwhile; but for those that show members, which it has not.
    """
    from threadpoolctl import threadpool_limits

    from steinhaus import report
    from steinhaus.resources import available_cores

    data = report.from_result(result)
    if helper is None or data.shows_medoids or not result.record.complete:
        page = _page(data, folder, whole)
        return {"report": [page], "figures": report.save_figures(data, folder / "figures", formats)}
    helper.begin(folder, formats, data.flows)
    with threadpool_limits(max(1, available_cores() - helper.PROCESSES), "blas"):
        page = _page(data, folder, whole)
    drawn = helper.drawn() or report.save_figures(data, folder / "figures", formats)
    return {"report": [page], "figures": drawn}


def _page(data: ReportData, folder: Path, whole: bool) -> Path:
    from steinhaus import report

    return report.write_folder(data, folder / "report") if whole else report.write_report(data, folder / "report.html")


def where(pages: Pages) -> str:
    """One line per kind of page, with its file or the folder of its files."""
    return "\n".join(
        f"{name:8} {paths[0]}" if len(paths) == 1 else f"{name:8} {paths[0].parent}/ ({len(paths)} files)"
        for name, paths in pages.items()
        if paths
    )


def _show(page: Path) -> None:
    if not webbrowser.open(page.resolve().as_uri()):
        tell(f"No browser was found. Open {page} yourself.")
