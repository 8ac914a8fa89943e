"""Fits of small hard problems against the oracle: `python tests/long/fits.py 50000 [FIRST]`. It fails if one differs.

A problem is made from its number alone: `fits.py 1 NUMBER` fits it again.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from fitting import wrong  # noqa: E402

if __name__ == "__main__":
    many, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    off = 0
    for number in range(first, first + many):
        if told := wrong(number):
            off += 1
            print(told, flush=True)
    print(f"{off} of {many:,} fits differ from the oracle")
    sys.exit(off > 0)
