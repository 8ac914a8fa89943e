"""SIGKILL at random moments of a study of 20 runs: `python tests/long/kills.py 100 [SEED]`."""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from killing import killed, pictures  # noqa: E402

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        source = pictures(Path(work) / "pictures.npz")
        print(killed(source, Path(work), int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
