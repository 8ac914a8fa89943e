"""The pages: every code block runs or says why not, and sentences are short.

The site's build runs the blocks (`docs/run_pages.py`).
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 35  # words of a sentence
CODE = {"python", "sh", "bash", "console", "r"}
OTHERS = {"text", "json", "{eval-rst}", "{toctree}", "{include}"}


def runner() -> ModuleType:
    """`docs/run_pages.py`, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("run_pages", ROOT / "docs" / "run_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["run_pages"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


run_pages = runner()
PAGES = {str(path.relative_to(ROOT)): path for path in run_pages.pages()}
PAGES |= {name: ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")}


def sentences(text: str) -> list[str]:
    """The sentences of a page, without blocks of code, tables and headings; code within a line counts as one word."""
    text = re.sub(r"^( *)```.*?^\1```$", "\n", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", "\n", text, flags=re.DOTALL)
    text = re.sub(r"^(\||#|:::|:[a-z]+:|    ).*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"^ *([-*]|\d+\.) ", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]+`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    return [sentence for paragraph in paragraphs for sentence in re.split(r"(?<=[.!?])\*{0,2} ", paragraph) if sentence]


def longest(path: Path, count: int = 10) -> list[tuple[int, str]]:
    """The longest sentences of a page, with their numbers of words."""
    return sorted(((len(one.split()), one) for one in sentences(path.read_text("utf-8"))), reverse=True)[:count]


@pytest.mark.parametrize("name", PAGES)
def test_no_sentence_is_too_long(name: str) -> None:
    long = [f"{words} words: {sentence}" for words, sentence in longest(PAGES[name], 1000) if words > LONGEST]
    assert not long, "\n".join([f"{name} has sentences of more than {LONGEST} words:", *long])


def test_sentences_are_told_apart() -> None:
    text = "# No\n\nOne `two three` four. Five\nsix!\n\n- **Seven.** Eight\n- Nine\n\n| no |\n\n```sh\nno\n```\n"
    assert sentences(text) == ["One code four.", "Five six!", "**Seven.", "Eight", "Nine"]


def test_blocks_are_found_with_their_reasons() -> None:
    text = "```sh\na\n```\n\n<!-- not run: slow -->\n```python\nb\n```\n- c\n\n  ```r\n  d\n  ```\n"
    found = [(block.language, block.code, block.line, block.reason) for block in run_pages.blocks(text)]
    assert found == [("sh", "a\n", 1, None), ("python", "b\n", 6, "slow"), ("r", "d\n", 11, None)]
    assert {block.reason for block in run_pages.blocks(f"<!-- no block is run: far -->\n{text}")} == {"far", "slow"}


@pytest.mark.parametrize("name", PAGES)
def test_every_code_block_runs_or_says_why_not(name: str) -> None:
    for block in run_pages.blocks(PAGES[name].read_text("utf-8")):
        where = f"{name}, line {block.line}"
        assert block.language in CODE | OTHERS, f"{where}: name the block's language; {block.language!r} is not known"
        if block.language in CODE and "/" not in name and name != "README.md":
            assert block.reason, f"{where}: this page's blocks are not run; say why with <!-- not run: REASON -->"
        assert block.language not in CODE or block.runs or block.reason, f"{where}: this language needs a reason"


@pytest.mark.parametrize("name", PAGES)
def test_no_code_block_is_hidden_by_indentation(name: str) -> None:
    """Blocks of four spaces have no language, and nothing would run them."""
    text = re.sub(r"^( *)```.*?^\1```$", "", PAGES[name].read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"\n\n    (\S.*)", text)
    assert not indented, f"{name}: fence these blocks, and name their language: {indented}"


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 120
