"""The command line. Only this package reads arguments, prints and exits.

Results go to standard output, everything else to standard error. Commands import their modules when they run, so that
`--help` is quick.
"""

from steinhaus.cli.app import main, run

__all__ = ["main", "run"]
