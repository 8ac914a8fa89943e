"""The command line: the only room that reads arguments, prints and exits.

Results go to standard output, everything else to standard error. Commands import what they need when they run, so that
`--help` is quick.
"""

from steinhaus.cli.app import main, run

__all__ = ["main", "run"]
