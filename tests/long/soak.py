"""Studies one after another in one process: `python tests/long/soak.py 500`. It fails if memory grows."""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from soaking import soak  # noqa: E402

MOST = 50.0  # kB a study

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        figures = soak(int(sys.argv[1]), Path(work))
    print(figures)
    sys.exit(figures["kilobytes_a_study"] > MOST or figures["files"] > 0 or figures["threads"] > 0)
