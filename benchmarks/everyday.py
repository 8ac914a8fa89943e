"""The calls that people make, beside scikit-learn's and scikit-learn-intelex's: default calls, and given starts.

    python benchmarks/everyday.py --markdown table.md --plot ratios.svg
    python benchmarks/everyday.py --rounds 3 --rows iris,digits,predict-1-float64

All are in one process and interleaved: a round has everyone once, and each begins with another one. All get the same
array: of uint8, scikit-learn makes float64 within its call. A short call is made often enough to take 50 ms. Ratios
are taken within a round: a peer's seconds over ours. Everyone is warm; see `first_use.py` for the first calls.

A default call is `KMeans(k, random_state=round).fit(x)`: the draws of the libraries differ, and so do the iterations.
From given starts, `KMeans(k, init=start, n_init=1).fit(x)`, everyone does the same work. In both, our labels are
checked by brute force. Published sets and MNIST are read from the folders `clustering` and `mnist` within the one that
STEINHAUS_DATA names; rows whose set is not there are left out, and said.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from machine import cores, keep_to, machine

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Read the command line, measure, write."""
    options = _options()
    keep_to(options.threads)  # before any library counts cores
    import everyday_tables as tables
    from everyday_measuring import measure_all

    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"everyday{'-tiny' if options.tiny else ''}.json"
    if not options.write_only:
        about = {"measured": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(options.threads)}
        measure_all(options.rows, options.rounds, options.tiny, about, path)
    result: dict[str, Any] = json.loads(path.read_text())
    text = tables.document(result)
    if options.markdown:
        options.markdown.write_text(text)
    if options.plot:
        tables.plot(result, options.plot)
    print(f"\n{text}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="default 7; of calls over 10 s at most 2")
    parser.add_argument("--rows", type=lambda text: text.split(","), help="names of rows; all without it")
    parser.add_argument("--threads", type=int, default=cores(), help="for everyone (default: all cores)")
    parser.add_argument("--tiny", action="store_true", help="a few rows of each set, to try things out")
    parser.add_argument("--markdown", type=Path, help="a file for the tables")
    parser.add_argument("--plot", type=Path, help="a file for the plot, .svg or .png")
    parser.add_argument("--write-only", action="store_true", help="write what was measured before")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Number of distinct clusters")
    main()
