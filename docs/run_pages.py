"""Run the code blocks of the pages: a build fails where one fails, and pages show what came out.

    python docs/run_pages.py [PAGE.md ...]

A page's blocks run in order in `docs/_runs/<page>/`, beside the inputs that `material.py` makes. Python blocks share
their names. Lines of shell blocks call `steinhaus`, in the same process, which spares each of them the imports. A block
that cannot run has `<!-- not run: REASON -->` on the line before it; a page whose blocks run elsewhere says so by
`<!-- no block is run: REASON -->`. `<!-- output -->` after a block is replaced by the text that the block printed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RUNS = HERE / "_runs"
MATERIAL = RUNS / ".material"
FENCE = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>[^\n]+) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>[\w{}-]*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
ALL = re.compile(r"^<!-- no block is run: ([^\n]+) -->$", re.MULTILINE)
OUTPUT = "<!-- output -->"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    code: str
    line: int  # of the fence, from 1
    reason: str | None  # why it is not run

    @property
    def runs(self) -> bool:
        """Whether it is to be run."""
        return self.reason is None and self.language in ("python", "sh")


def pages() -> list[Path]:
    """Every page that is written by hand, and README."""
    written = [path for path in sorted(HERE.rglob("*.md")) if not path.relative_to(HERE).parts[0].startswith("_")]
    return [HERE.parent / "README.md", *written]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    whole = ALL.search(text)
    for match in FENCE.finditer(text):
        indent = len(match["indent"])
        code = "".join(line[indent:] if line.strip() else "\n" for line in match["code"].splitlines(keepends=True))
        reason = match["reason"] or (whole and whole[1])
        found.append(Block(match["language"], code, text.count("\n", 0, match.start("indent")) + 1, reason))
    return found


def runs_of(page: Path) -> Path:
    """The folder in which a page's blocks run."""
    return RUNS / page.with_suffix("").relative_to(HERE if page.is_relative_to(HERE) else HERE.parent)


def with_output(page: Path, text: str) -> str:
    """The page with `<!-- output -->` replaced by what the block before it printed."""
    parts = text.split(OUTPUT)
    shown, done = parts[0], parts[0]
    for part in parts[1:]:
        printed = (runs_of(page) / ".output" / f"{len(blocks(done))}.txt").read_text("utf-8").rstrip()
        shown += f"```text\n{printed}\n```{part}"
        done += part
    return shown


def run(page: Path) -> None:
    """Run the blocks of a page, and keep what each printed."""
    place = runs_of(page)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(MATERIAL, place)
    (place / ".output").mkdir()
    names: dict[str, object] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(place)
    try:
        for number, block in enumerate(blocks(page.read_text("utf-8")), start=1):
            if not block.runs:
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                _run_block(block, names, f"{page.name}, line {block.line}")
            Path(".output", f"{number}.txt").write_text(printed.getvalue(), "utf-8")
    finally:
        os.chdir(before)


def _run_block(block: Block, names: dict[str, object], where: str) -> None:
    if block.language == "python":
        exec(compile(block.code, where, "exec"), names)
        return
    from steinhaus.cli.app import main

    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] != "steinhaus":
            raise ValueError(f"{where}: only `steinhaus` is run here, not {words[0]!r}; say why with <!-- not run: -->")
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = main(words[1:])
        if code:
            raise RuntimeError(f"{where}: `{line}` ended with {code}: {said.getvalue()}")


def example_arguments(gallery: object, script: str) -> list[str]:
    """The arguments of an example that sphinx-gallery runs: a folder to write to, outside the project."""
    return [tempfile.mkdtemp()]


def failure(page: Path) -> str:
    """Run a page; how it failed, or nothing."""
    began = time.process_time()
    try:
        run(page)
    except Exception:
        return f"{page}:\n{traceback.format_exc()}"
    print(f"{time.process_time() - began:5.1f} s  {page.relative_to(HERE.parent)}")
    return ""


def run_all(chosen: list[Path]) -> int:
    """Make the drawings and run these pages, several at once; name every page that fails."""
    os.environ["MPLBACKEND"] = "agg"
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # a thread a page: several pages run at once
    import drawings
    import material

    shutil.rmtree(MATERIAL, ignore_errors=True)
    drawings.make(RUNS)
    material.make(MATERIAL)
    chosen = [page for page in chosen if any(block.runs for block in blocks(page.read_text("utf-8")))]
    with ProcessPoolExecutor() as pool:
        failures = [failed for failed in pool.map(failure, chosen) if failed]
    print("\n".join(failures), file=sys.stderr)
    return min(len(failures), 1)


if __name__ == "__main__":
    sys.exit(run_all([Path(name).resolve() for name in sys.argv[1:]] or pages()))
