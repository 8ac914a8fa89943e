"""The first use on a machine: import, first fits and first predictions, with and without compiled kernels.

    python benchmarks/first_use.py --rounds 5 --markdown table.md

Each measurement is a separate process: "cold" with an empty STEINHAUS_CACHE, and "warm" with the cache that the cold
one filled. scikit-learn is measured for comparison. One process imports and fits iris. Another fits images in uint8 and
then in further types. A third is `steinhaus study mnist`, from start to exit. Results are wall seconds, medians of the
rounds. The images are MNIST's, from the folder that STEINHAUS_DATA names. Without it, they are as many random ones of
the same size, and the study is skipped. Bytecode of Python's modules is written first, as by an installation.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

IMAGES, SIDE = 60_000, 28
FIRST, FURTHER = "uint8", ("float32", "float64", "int16")

Steps = dict[str, float]  # step -> seconds


@dataclass(frozen=True)
class Limit:
    """The time limit of a step with a cold cache or, with `beyond`, the limit of the extra time over a warm one."""

    must: float
    aim: float | None = None
    beyond: bool = False

    def text(self) -> str:
        """In words."""
        aim = f", aim {self.aim:g}" if self.aim else ""
        return f"{self.must:g} s{' more than warm' if self.beyond else ''}{aim}"

    def kept(self, cold: float, warm: float) -> bool:
        """Whether the step keeps the limit."""
        return (cold - warm if self.beyond else cold) <= self.must


STUDY = "`steinhaus study`, the whole process"
LIMITS = {
    STUDY: Limit(8),
    "iris: first fit, K = 3": Limit(2, 1),
    "iris: first predict": Limit(0.5, beyond=True),
    f"images, {FIRST}: first fit, K = 10": Limit(5, 3),
    f"images, {FIRST}: first predict": Limit(0.5, beyond=True),
} | {
    f"images, then {dtype}: {call}": limit
    for dtype in FURTHER
    for call, limit in (("fit", Limit(1.5, beyond=True)), ("predict", Limit(0.5, beyond=True)))
}


def main() -> None:
    """Measure and write or, as a child, run the steps of one process."""
    options = _options()
    if options.child:
        if hasattr(os, "sched_setaffinity"):  # not by `machine`: its imports would then be free for the libraries
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
        print(json.dumps(dict(_steps(*options.child, options.images))))
        return
    from machine import machine, sentence

    compileall.compile_dir(HERE.parent / "src", quiet=1)  # as pip does when it installs
    for library in ("sklearn", "steinhaus"):  # so that no library pays for reading files that the next finds in memory
        with tempfile.TemporaryDirectory() as cache:
            child(library, "iris", Path(cache), options.images, options.threads)
    rounds: dict[str, list[Steps]] = {"cold": [], "warm": [], "sklearn": []}
    for turn in range(options.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name, library in (("cold", "steinhaus"), ("warm", "steinhaus"), ("sklearn", "sklearn")):
                steps = {}
                for part in ("iris", "images", "study")[: 3 if name != "sklearn" and _has_mnist() else 2]:
                    own = Path(cache) / part  # each part begins without compiled code
                    steps |= child(library, part, own, options.images, options.threads)
                rounds[name].append(steps)
                told = ", ".join(f"{step} {seconds:.2f}" for step, seconds in steps.items())
                print(f"  round {turn + 1}/{options.rounds}  {name}: {told}", flush=True)
    images = "MNIST" if _has_mnist() else "Random images"
    text = f"{images}. {sentence(machine(options.threads))}\n\n{table(rounds)}\n"
    if options.markdown:
        options.markdown.write_text(text)
    print(f"\n{text}")


def child(library: str, part: str, cache: Path, images: int, threads: int) -> Steps:
    """Seconds of each step of a process."""
    from running import environment

    variables = environment(threads) | {"STEINHAUS_CACHE": str(cache)}
    size = ["--images", str(images), "--threads", str(threads)]
    command = [sys.executable, __file__, "--child", library, part, *size]
    with tempfile.TemporaryDirectory() as out:
        if part == "study":
            train = [] if images == IMAGES else ["--train", str(images)]
            study = ["study", "mnist", "--quiet", "--threads", str(threads), "--out", f"{out}/study", *train]
            command = [sys.executable, "-m", "steinhaus", *study]
        done, seconds = _timed(subprocess.run, command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr}")
    return {STUDY: seconds} if part == "study" else json.loads(done.stdout.splitlines()[-1])


def _steps(library: str, part: str, images: int) -> Iterator[tuple[str, float]]:
    """Yield the steps of a process in order, with their seconds."""
    began = perf_counter()
    if library == "sklearn":
        from sklearn.cluster import KMeans
    else:
        from steinhaus import KMeans
    if part == "iris":
        yield "import KMeans", perf_counter() - began
        from sklearn.datasets import load_iris

        x = load_iris().data
        model, seconds = _timed(KMeans(3, random_state=0).fit, x)
        yield "iris: first fit, K = 3", seconds
        yield "iris: first predict", _timed(model.predict, x)[1]
        return
    pixels = _images(images)
    for dtype in (FIRST, *FURTHER):
        x = pixels.astype(dtype)
        model, fitting = _timed(KMeans(10, random_state=0).fit, x)
        _, predicting = _timed(model.predict, x)
        if dtype == FIRST:
            yield f"images, {FIRST}: first fit, K = 10", fitting
            yield f"images, {FIRST}: first predict", predicting
        else:
            yield f"images, then {dtype}: fit", fitting
            yield f"images, then {dtype}: predict", predicting


def _timed(call: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float]:
    """The result of a call, and its seconds."""
    began = perf_counter()
    result = call(*arguments, **options)
    return result, perf_counter() - began


def _images(n: int) -> Any:
    """MNIST's first images, (n, 784) uint8; without STEINHAUS_DATA, random ones in ten clusters."""
    import numpy as np

    if _has_mnist():
        from steinhaus import open_images

        return np.ascontiguousarray(open_images("mnist", data=os.environ["STEINHAUS_DATA"]).rows[:n])
    rng = np.random.default_rng(0)
    means = rng.integers(0, 256, (10, SIDE * SIDE)) * (rng.random((10, SIDE * SIDE)) < 0.3)
    noise = rng.normal(0, 40, (n, SIDE * SIDE)).astype(np.float32)
    return np.clip(means[rng.integers(10, size=n)] + noise, 0, 255).astype(np.uint8)


def _has_mnist() -> bool:
    """Whether STEINHAUS_DATA names a folder with MNIST."""
    return (Path(os.environ.get("STEINHAUS_DATA") or os.devnull) / "mnist").is_dir()


def table(rounds: dict[str, list[Steps]]) -> str:
    """A Markdown table with one step per row."""
    from tables import rows

    body = []
    for step in rounds["cold"][0]:
        cold, warm = (median(steps[step] for steps in rounds[name]) for name in ("cold", "warm"))
        theirs = median(steps.get(step, nan) for steps in rounds["sklearn"])
        limit = Limit(theirs + 0.15) if step == "import KMeans" else LIMITS[step]
        words = "0.15 s more than scikit-learn's" if step == "import KMeans" else limit.text()
        verdict = "yes" if limit.kept(cold, warm) else "**no**"
        shown = ["–" if isnan(seconds) else f"{seconds:.3f}" for seconds in (cold, warm, theirs)]
        body.append([step, *shown, f"{words}: {verdict}"])
    return rows(["seconds", "cold", "warm", "scikit-learn", "at most"], body)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=IMAGES, help="number of images; fewer to try the script")
    parser.add_argument("--threads", type=int, default=cores, help="cores that each process may use (default: all)")
    parser.add_argument("--markdown", type=Path, help="the file for the table")
    parser.add_argument("--child", nargs=2, metavar=("LIBRARY", "PART"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
