"""Everyday calls compared with scikit-learn and scikit-learn-intelex: default calls, and given starts.

    python benchmarks/everyday.py --markdown table.md --plot ratios.svg
    python benchmarks/everyday.py --rounds 3 --rows iris,digits,predict-1-float64

All libraries run in one process, interleaved: each round runs every library once and starts with another one. All get
the same array; scikit-learn converts uint8 to float64 within its call. A short call is repeated until it takes 50 ms.
Ratios, the peer's seconds over ours, are taken within a round. All code is warm; `first_use.py` measures first calls.

A default call is `KMeans(k, random_state=round).fit(x)`: the libraries draw different starts, so their iterations
differ. From given starts, `KMeans(k, init=start, n_init=1).fit(x)`, all do the same work. In both cases, our labels are
checked by brute force. Published sets and MNIST are read from the folders `clustering` and `mnist` in the folder that
STEINHAUS_DATA names. Rows without their set are skipped, with a message.
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
    parser.add_argument("--rounds", type=int, default=7, help="default 7; at most 2 for calls over 10 s")
    parser.add_argument("--rows", type=lambda text: text.split(","), help="names of rows (default: all)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads of each library (default: all cores)")
    parser.add_argument("--tiny", action="store_true", help="use a few rows of each set, to try the script")
    parser.add_argument("--markdown", type=Path, help="the file for the tables")
    parser.add_argument("--plot", type=Path, help="the file for the plot, .svg or .png")
    parser.add_argument("--write-only", action="store_true", help="write saved results, without measuring")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Number of distinct clusters")
    main()
