"""The program: its commands, and how every ending of one becomes an exit code and a sentence."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

import steinhaus
from steinhaus.cli import memory
from steinhaus.cli.arguments import debug_option
from steinhaus.cli.importing import import_
from steinhaus.cli.looking import data, show
from steinhaus.cli.predict import predict
from steinhaus.cli.reporting import report
from steinhaus.cli.study import study
from steinhaus.cli.words import complain
from steinhaus.errors import PlanError, SteinhausError
from steinhaus.wording import in_terminal

INTERRUPTED = 130  # 128 + SIGINT, as a shell counts
TERMINATED = 143  # 128 + SIGTERM


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and say by the exit code how it ended.

    Parameters
    ----------
    argv
        The arguments; by default the process's own.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong usage, 130 interrupted (SIGINT), 143 terminated (SIGTERM).
    """
    chosen = {"debug": False}
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with in_terminal():
            program.main(argv, prog_name="steinhaus", standalone_mode=False, obj=chosen)
        return 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except SystemExit as ending:  # of `_terminate`, or of click where whoever read our output has had enough of it
        return ending.code if isinstance(ending.code, int) else 1
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except Exception as error:
        if chosen["debug"] and not isinstance(error, click.ClickException):
            raise
        complain(explained(error))
        return 2 if isinstance(error, click.UsageError | PlanError) else 1
    finally:
        signal.signal(signal.SIGTERM, before)


def run() -> NoReturn:
    """Be the program: `main`, and the end of the process."""
    _whole_streams()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files: a notebook's backend may not even be here
    code = main()
    gc.freeze()  # a last collection, over everything that was ever imported, would free nothing and take 0.3 s
    sys.exit(code)


def _whole_streams() -> None:
    """See to it that there are standard streams, where whoever started us closed some (`2>&-`)."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest number that is free: this one
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    """End as on an interrupt: a study keeps where it stands on the way out."""
    raise SystemExit(TERMINATED)


def explained(error: Exception) -> str:
    """What went wrong and the way out, in a sentence or two."""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "steinhaus"
        return f"{error.format_message()} See: {command} --help"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, SteinhausError):
        return str(error)
    if isinstance(error, MemoryError):
        told = f" {str(error).rstrip('.')}." if str(error) else ""
        return f"There is not enough memory for this.{told} {memory.advice()}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'The system'}: {error.strerror}."
    return (
        f"This should not happen, and is a fault of Steinhaus: {type(error).__name__}: {error}. "
        f"The same command with --debug shows where; please report that."
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(steinhaus.__version__)
@debug_option
def program() -> None:
    """Exact, reproducible, fast k-means for collections of images.

    `steinhaus study` clusters MNIST as the published study did, and shows what came out.
    """


data.add_command(import_)
for command in (study, show, report, predict, data):
    program.add_command(command)
