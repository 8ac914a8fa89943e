"""Feed readers with millions of inputs: `python tests/fuzz/run.py --inputs 1000000`, or `--seconds 60` per target.

Only Steinhaus' own errors may come out, no call may take over a second, and memory stays under
twice the declared limit.
What fails is written to tests/corpus, which the test suite reads again ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import mmap
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).parent.parent)]

from fuzz.targets import CORPUS, MEMORY, Target, clean, targets  # noqa: E402

SECOND = 1.0  # the longest that a call may take
ENDLESS = 20.0  # seconds of processor time after which a call will not end
SLACK = 8 << 20  # bytes that a process of Python gains by itself
MOST = 2 * MEMORY + SLACK  # bytes that inputs may add to it
LARGEST = 1 << 24  # bytes of an input, and more
STRETCH = 256  # inputs after which memory is counted anew: the allocator's own stock grows and shrinks by tens of MiB


def peak() -> int:
    """The most memory that this process had since `count_memory_anew`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024


def may_be_above(most: int) -> bool:
    """Whether the peak may be above so many bytes; asked of each input, because `peak` itself takes longer than many.

    getrusage never says less than the peak, but may say more: what the process had that started this one, and what
    this one had before.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > most


def count_memory_anew() -> int:
    """Forget the peak, and limit what may be mapped from here on; the memory in use now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    mapped, resident = (
        int(pages) * resource.getpagesize() for pages in Path("/proc/self/statm").read_text().split()[:2]
    )
    most = mapped + MOST + 3 * SLACK
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return resident


def kept(name: str, data: bytes) -> Path:
    """An input that failed, in the corpus."""
    path = CORPUS / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    return path


def fuzz(target: Target, last: mmap.mmap, *, inputs: int, seconds: float, seed: int) -> dict[str, float]:
    """Feed one target; raises the first failure, with its input kept in the corpus.

    Each input goes to `last` first, its length before it.
    """
    warnings.simplefilter("error")
    for data in target.seeds:
        target.feed(data)
    before = count_memory_anew()
    accepted = slowest = largest = 0
    began = time.process_time()
    source = target.inputs(Random(f"{target.name} {seed}"))
    for n in itertools.count(1):
        data = next(source)
        last[: 8 + len(data)] = len(data).to_bytes(8, "little") + data
        stretch_ends = n % STRETCH == 0 or n >= inputs
        signal.setitimer(signal.ITIMER_PROF, ENDLESS)  # a signal that ends the process, whatever code it is in
        start = time.process_time()
        try:
            accepted += target.feed(data)
            taken = time.process_time() - start
            assert taken < SECOND, f"it took {taken:.2f} s"
            if stretch_ends or may_be_above(before + MOST):
                largest = max(largest, peak() - before)
                assert largest < MOST, f"it took {largest >> 20} MiB"
        except BaseException:
            print(f"{target.name}: input {n} failed, and is kept as {kept(target.name, data)}", flush=True)
            raise
        slowest = max(slowest, taken)
        if n >= inputs or (stretch_ends and time.process_time() - began > seconds):
            break
        if stretch_ends:
            before = count_memory_anew()
    signal.setitimer(signal.ITIMER_PROF, 0)
    return {
        "inputs": n,
        "cpu_seconds": round(time.process_time() - began, 1),
        "accepted": accepted,
        "slowest_cpu_ms": round(slowest * 1000, 1),
        "memory_mib": round(largest / 2**20, 1),
    }


def fuzz_alone(name: str, last: Path, options: dict[str, float]) -> None:
    """One target in a process of its own, whose last input is in a file whatever becomes of it."""
    try:
        (target,) = [target for target in targets() if target.name == name]
        with last.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            print(f"{name:12} {fuzz(target, shared, **options)}", flush=True)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    finally:
        clean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10**12, help="of each target, at most")
    parser.add_argument("--seconds", type=float, default=1e12, help="of processor time for each target, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of targets, with commas; all without it")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [target.name for target in targets()]
    clean()
    if options.inputs == 10**12 and options.seconds == 1e12:
        parser.error("give --inputs, --seconds, or both")
    os.environ["ZARR_THREADING__MAX_WORKERS"] = "1"  # each hand-over to another thread takes longer than what it does
    failed = []
    context = multiprocessing.get_context("spawn")
    how = {"inputs": options.inputs, "seconds": options.seconds, "seed": options.seed}
    with tempfile.NamedTemporaryFile() as last:
        for name in names:
            last.truncate(0)
            last.truncate(LARGEST)
            process = context.Process(target=fuzz_alone, args=(name, Path(last.name), how))
            process.start()
            process.join()
            if process.exitcode:
                failed.append(name)
            if (process.exitcode or 0) < 0:
                data = Path(last.name).read_bytes()
                path = kept(name, data[8 : 8 + int.from_bytes(data[:8], "little")])
                print(f"{name}: its process was ended by signal {-process.exitcode}; the input is kept as {path}")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
