"""`steinhaus report`: the report of a study drawn again, several studies side by side, assignments for other tools."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steinhaus.cli import arguments
from steinhaus.cli.drawing import FigureProcess, figure_process
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import open_source
from steinhaus.cli.words import tell
from steinhaus.errors import DataError

if TYPE_CHECKING:
    from steinhaus.cli.progress import Watcher
    from steinhaus.features.asked import Features
    from steinhaus.images import Images, Split
    from steinhaus.report import ReportData
    from steinhaus.study import StudyResult

Pages = dict[str, list[Path]]  # what each is -> its files
EXPORTS = ("csv", "parquet", "atlas", "fiftyone")


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True)
@click.option("--source", metavar="SOURCE", help="The study's images. [default: found, if they are a known set]")
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@click.option("--folder", "whole", is_flag=True, help="As DIR/report/, with every image of a set of any size.")
@click.option("--formats", metavar="LIST", type=arguments.Formats(), help="Of the figures: png,svg. [default: png]")
@click.option("--export", "form", type=click.Choice(EXPORTS), help="Write the assignments of one K instead.")
@click.option("--k", metavar="K", type=click.IntRange(1), help="With --export: which K. [default: the study's largest]")
@click.option("--out", metavar="FILE", help="Of several studies, or an export: where to.")
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

    The report shows single images only where the study's images can be opened.

    Of several studies it writes one page, which sets them side by side: --out FILE. With --export it writes the
    cluster of every image for other tools; of fiftyone, --out is a folder.
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
            {"--open": open_it, "--folder": whole, "--formats": formats}, "does not go with --export: leave it out."
        )
        target = _target(out, "exported" if form == "fiftyone" else f"exported.{'csv' if form == 'csv' else 'parquet'}")
        with watching(quiet) as watch:
            pages = _exported(_with_images(folders[0], source, reading, features, watch), form, k, target)
    else:
        _refuse({"--k": k}, "goes with --export.")
        _refuse({"--out": out}, "goes with several studies, or with --export: a study's report stays in its folder.")
        with figure_process() as helper, watching(quiet) as watch:
            result = _with_images(folders[0], source, reading, features, watch)
            pages = draw(result, Path(folders[0]), formats or ("png",), whole=whole, helper=helper)
        if result.images is None:
            tell("The study's images are not at hand, so the report shows none of them. Name them with --source.")
    click.echo(where(pages))
    if open_it:
        _show(next(iter(pages.values()))[0])


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None and value is not False:
            raise click.UsageError(f"{name} {why}")


def _target(out: str | None, example: str) -> Path:
    if out is None:
        raise click.UsageError(f"Say where to write it: --out {example}.")
    return Path(out).expanduser()


def _with_images(
    folder: str, source: str | None, reading: dict[str, Any], features: Features | None, watch: Watcher
) -> StudyResult:
    """The study in a folder, with its images where they are named or known."""
    from steinhaus.study import load

    result = load(folder)
    if source is not None:
        images = open_source(source, reading, watch)
        if images.sha256 != result.record.data.sha256:
            raise DataError(
                f"{source} does not hold the images that {folder} was made of: their digests differ. "
                f"Give the same source, read with the same options."
            )
        result.images = _split(_featured(images, result, features, watch), result)
    elif (known := _known_images(result, reading)) is not None:
        result.images = _split(_featured(known, result, features, watch), result)
    return result


def _featured(images: Images, result: StudyResult, asked: Features | None, watch: Watcher) -> Images:
    """The images with the features that the study clusters."""
    from steinhaus.study.run import beside
    from steinhaus.study.space import again

    record = result.record.data.features
    if record is None:
        return images
    made = again(record, images, asked, None if result.out is None else beside(result.out), watch.step)
    if made.features is not None and made.features.sha256 != record.sha256:
        if record.kind not in ("model", "hog", "colour"):
            raise DataError(f"These are not the features that {result.out} was made of: their digests differ.")
        watch.say("The features were made anew and differ in their last bits: distances are shown by these.")
    return made


def _known_images(result: StudyResult, reading: dict[str, Any]) -> Images | None:
    """The images of a study of a known set, where they are on this machine.

    None too where they cannot be read, unless the user said how to read them.
    """
    from steinhaus.images import data_status, open_images
    from steinhaus.images.opening import is_known

    record = result.record
    ready = {status.known.name for status in data_status(reading.get("data")) if status.ready}
    if record.data.name not in ready or not record.complete:
        return None
    here: dict[str, Any] = {}
    if is_known(record.data.name):  # a path of that name has no such option
        here["download"] = False
    try:
        images = open_images(record.data.name, **here, **reading)
    except DataError:
        if reading:
            raise
        return None
    return images if images.sha256 == record.data.sha256 else None


def _split(images: Images, result: StudyResult) -> Split:
    plan = result.record.plan
    return images.split(plan["train"], plan["seed"], plan.get("val"))


def _compared(results: Sequence[StudyResult], path: Path) -> Pages:
    """Write several studies on one page."""
    from steinhaus.report import compare, files, from_result

    return {"compare": [files.write(path, compare([from_result(result) for result in results]).encode())]}


def _exported(result: StudyResult, form: str, k: int | None, path: Path) -> Pages:
    """Write the assignments of one K."""
    from steinhaus.report import exports, from_result

    if not result.record.complete:
        raise DataError(f"{result.out} is not finished yet. Give the study's command again to go on with it.")
    if result.images is None:
        raise DataError(
            f"An export needs the images of {result.out}, which are not at hand. Name them with --source, read with "
            f"the same options as in the study."
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
        The study, and where it is.
    formats
        Of the figures: "png", "svg".
    whole
        Write the report as a folder with every image, not as one file.
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
    """A line for each kind of page: its file, or the folder of its files."""
    return "\n".join(
        f"{name:8} {paths[0]}" if len(paths) == 1 else f"{name:8} {paths[0].parent}/ ({len(paths)} files)"
        for name, paths in pages.items()
        if paths
    )


def _show(page: Path) -> None:
    if not webbrowser.open(page.resolve().as_uri()):
        tell(f"No browser was found to open it in. Open {page} yourself.")
