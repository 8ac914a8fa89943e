"""Recorded results and work of some 300 problems, which a change of the engines must not change.

`digests.json` holds, for each problem, a digest of its result (labels, centroids, counts, history, inertia and stop),
which is the same for every screen, number of threads and company, on every processor; and for each data set and screen
a digest of the work of every pass, of each run alone and of all in company, and then the work of the latter in numbers:
pairs settled, tiles spread, products computed, products screened. Work depends on the instructions that the processor
has (whether products are fused or made of bytes, in which order bounds are summed), so it is compared where these are
the same. It depends on no number of threads.

`python tests/test_digests.py record` records what is missing; `record --work` the work on this processor again, which
needs a reason in the commit that does so. Results are never recorded again: one that is another is refused.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from digest_problems import DATA
from problems import ROOMY
from steinhaus.engines import choose, opened
from steinhaus.jit.target import BYTE_TILES, takes_bytes
from steinhaus.lloyd import lloyd
from steinhaus.points import Run

RECORDED = Path(__file__).with_name("digests.json")
SCREENS, THREADS = ("auto", "drift", "plain", "none", "compact"), (1, 2, 7)
COUNTED = SCREENS[:3]  # the others settle all pairs
ROWS = slice(1, 5)  # of `MemoryPoints.work`: pairs settled, tiles spread, products computed, products screened
SLOW = 2e8  # distances, times features, of a pass that settles every pair: more of it is left to the slow tests


def instructions():
    """The instructions that decide how much work there is."""
    flags, info = [], Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        flags = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    flags = ["amx_int8"] if BYTE_TILES else [flag for flag in flags if flag != "amx_int8"]  # the system may deny it
    known = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "fma", "asimd")
    name = next((flag for flag in known if flag in flags), platform.machine())
    return f"{name}, {'bytes' if takes_bytes('uint8') else 'floats'}"


def digest(*parts):
    """16 hexadecimal digits."""
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


@contextmanager
def engine(data, x, screen, threads):
    """The points' engine; and the work of every pass, where it counts any."""
    if data.weights or data.sparse:
        with opened(x, weights=data.counted(), threads=threads) as points:
            yield points, None
        return
    points, work = choose(x, screen=screen, threads=threads, memory=ROOMY), []
    if not hasattr(points, "work"):
        work = None
    else:
        count = points._count

        def counted(passed):
            count(passed)
            work.append(passed[ROWS].copy())

        points._count = counted
    try:
        yield points, work
    finally:
        points.close()


def follow(data, x, starts, ks, screen="auto", threads=1):
    """The digests of the results of runs that go together, by K; and the work of each pass, (4, R), where counted."""
    results = {}
    with engine(data, x, screen, threads) as (points, work):
        for fit in lloyd(points, [Run(k, starts[k]) for k in ks], max_iter=data.limit):
            history = np.array([*fit.history, fit.inertia])
            labels = points.labels(fit.key)
            assert labels.dtype == np.int32
            assert fit.counts.dtype == np.int64
            parts = (labels, fit.centroids, fit.counts, history)
            results[fit.key] = digest(*(part.tobytes() for part in parts), fit.stop.name.encode())
    return results, work


def groups(data):
    """The runs that go together: each alone, then all."""
    return [*((k,) for k in data.ks), data.ks]


def digest_of(work):
    return digest(*(part.astype(np.int64).tobytes() for part in work))


def amounts(work):
    """Pairs settled, tiles spread, products computed, products screened, in all."""
    return " ".join(str(sum(int(part[row].sum()) for part in work)) for row in range(4))


def screens(data):
    """Those that there are for the data, and whether work is counted."""
    return SCREENS[:1] if data.weights or data.sparse else SCREENS


def recorded():
    return json.loads(RECORDED.read_text()) if RECORDED.exists() else {"results": {}, "work": {}}


EVERY = recorded()


def check(data, x, starts, ks, screen, threads):
    """Hold a fit to what is recorded. Returns whether its work was compared."""
    case = f"{data.name} {screen}"
    results, work = follow(data, x, starts, ks, screen, threads)
    assert results == {k: EVERY["results"][f"{data.name} {k}"] for k in ks}, (case, ks)
    here = EVERY["work"].get(instructions())
    if work is None or here is None or screen not in COUNTED:
        return False
    *digests, pairs, spreads, computed, screened = here[case].split()
    if ks == data.ks:
        assert amounts(work) == " ".join((pairs, spreads, computed, screened)), (case, ks)
    assert digest_of(work) == digests[groups(data).index(ks)], (case, ks)
    return True


def said(compared, data):
    """Skip, with the reason, where no work could be compared."""
    if not compared and not (data.weights or data.sparse) and instructions() not in EVERY["work"]:
        pytest.skip(f"results are as recorded; work is recorded for {list(EVERY['work'])}, not for {instructions()}")


@pytest.mark.parametrize("data", [data for data in DATA if data.fast], ids=str)
def test_results_and_work_are_as_recorded(data):
    """Every run alone and all in company, each screen; threads take turns."""
    x, starts = data.points(), data.starts()
    compared, turn = False, 0
    for screen in screens(data):
        for ks in groups(data):
            turn += 1
            if screen != "none" or data.n * data.d * sum(ks) <= SLOW:
                compared |= check(data, x, starts, ks, screen, THREADS[turn % 3])
    said(compared, data)


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA, ids=str)
def test_results_and_work_are_as_recorded_with_any_number_of_threads(data):
    """All runs in company; alone, threads take turns."""
    x, starts = data.points(), data.starts()
    compared = False
    for screen, (place, ks) in product(screens(data), enumerate(groups(data))):
        for threads in THREADS if ks == data.ks else (THREADS[place % 3],):
            compared |= check(data, x, starts, ks, screen, threads)
    said(compared, data)


def test_there_are_many_problems():
    assert len(EVERY["results"]) >= 200
    assert set(EVERY["results"]) == {f"{data.name} {k}" for data in DATA for k in data.ks}


def record(again):
    """Write what is missing; again: and all work on this processor."""
    kept = recorded()
    if again:
        kept["work"].pop(instructions(), None)
    here = kept["work"].setdefault(instructions(), {})
    for data in DATA:
        x, starts = data.points(), data.starts()
        for screen in screens(data):
            case, works = f"{data.name} {screen}", []
            for ks in groups(data):
                results, work = follow(data, x, starts, ks, screen, threads=2)
                works.append(work)
                for k, found in results.items():
                    if kept["results"].setdefault(f"{data.name} {k}", found) != found:
                        raise SystemExit(f"{case}: the result for K = {k} is another than it was.")
            if works[-1] is not None and screen in COUNTED:
                here.setdefault(case, " ".join([*map(digest_of, works), amounts(works[-1])]))
    RECORDED.write_text(json.dumps(kept, indent=0) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] != ["record"] or sys.argv[2:] not in ([], ["--work"]):
        raise SystemExit(__doc__)
    record(again=bool(sys.argv[2:]))
