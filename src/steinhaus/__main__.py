"""`python -m steinhaus` is the command `steinhaus`."""

import sys

from steinhaus.cli import main

if __name__ == "__main__":
    sys.exit(main())
