"""The program: its commands, and the exit code and message for every way in which one can end."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import steinhaus
from steinhaus.cli import memory
from steinhaus.cli.arguments import debug_option
from steinhaus.cli.ending import Ending
from steinhaus.cli.importing import import_
from steinhaus.cli.looking import data, show
from steinhaus.cli.predict import predict
from steinhaus.cli.reporting import report
from steinhaus.cli.study import study
from steinhaus.cli.words import complain
from steinhaus.errors import PlanError, SteinhausError
from steinhaus.wording import in_terminal

INTERRUPTED = 130  # 128 + SIGINT, as a shell counts


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    argv
        The arguments. Default: those of the process.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong usage, 130 interrupted (SIGINT), 143 terminated (SIGTERM).
    """
    with Ending() as ending:
        return _ended(argv, ending)


def _ended(argv: Sequence[str] | None, ending: Ending) -> int:
    """Run a command, and return the exit code for the way in which it ended."""
    chosen = {"debug": False}
    try:
        with in_terminal():
            program.main(argv, prog_name="steinhaus", standalone_mode=False, obj=chosen)
        return 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except SystemExit as error:  # raised by a SIGTERM, or by click if the reader of our output closed it
        return error.code if isinstance(error.code, int) else 1
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except Exception as error:
        if chosen["debug"] and not isinstance(error, click.ClickException):
            raise
        if ending.code is not None:  # some code turns every exception into an error of its own, a signal's too
            return ending.code
        complain(explained(error))
        return 2 if isinstance(error, click.UsageError | PlanError) else 1


def run() -> NoReturn:
    """Run `main`, and end the process."""
    _whole_streams()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files, and a notebook's backend may not be installed
    code = main()
    gc.freeze()  # a last garbage collection would free nothing and take 0.3 s
    sys.exit(code)


def _whole_streams() -> None:
    """Open the standard streams that the caller closed (`2>&-`)."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is the closed stream's
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def explained(error: Exception) -> str:
    """The error and the way out, in a sentence or two."""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "steinhaus"
        return f"{error.format_message()} See: {command} --help"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, SteinhausError):
        return str(error)
    if isinstance(error, MemoryError):
        told = f" {str(error).rstrip('.')}." if str(error) else ""
        return f"There is not enough memory.{told} {memory.advice()}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'The system'}: {error.strerror}."
    return (
        f"This is a bug in Steinhaus: {type(error).__name__}: {error}. Run the same command with --debug to see where "
        "it happens, and please report it."
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(steinhaus.__version__)
@debug_option
def program() -> None:
    """Exact, reproducible, fast k-means for collections of images.

    Start with: steinhaus study SOURCE. Without SOURCE, it repeats the published study of MNIST.
    """


data.add_command(import_)
for command in (study, show, report, predict, data):
    program.add_command(command)
