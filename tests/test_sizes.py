"""Rules of size and style: short files and functions, and slacks in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from package import KERNELS, PACKAGE

ENGINES = sorted((PACKAGE / "engines").rglob("*.py"))
EVERY = sorted(PACKAGE.rglob("*.py"))
RULED = sorted([*ENGINES, *(PACKAGE / "jit").rglob("*.py")])
ALGORITHM = ("arithmetic", "centroids", "costs", "exchanges", "hierarchy", "lloyd", "points", "refining", "seeding")
SHAPED = [*ENGINES, *(PACKAGE / f"{name}.py" for name in ALGORITHM)]

FILE, FUNCTION, KERNEL, PARAMETERS = 400, 60, 80, 10

# A folder's most files and lines, docstrings and comments included: its size in November 2026 and some 5 %.
FOLDERS = {
    ".": (22, 2780),
    "cli": (23, 2600),
    "displays": (9, 750),
    "engines": (2, 500),
    "engines/bounds": (11, 1120),
    "engines/cluster": (7, 1070),
    "engines/compact": (23, 3960),
    "engines/dense": (50, 8500),
    "engines/exact": (24, 2080),
    "engines/sparse": (4, 560),
    "engines/splitting": (6, 520),
    "engines/stream": (4, 440),
    "engines/wide": (6, 440),
    "estimators": (12, 1950),
    "features": (16, 1680),
    "images": (53, 8790),
    "jit": (16, 2450),
    "plots": (6, 250),
    "report": (25, 3540),
    "study": (25, 4130),
}
# Options of a command or of a public call, one parameter each.
MANY_OPTIONS = {
    "cli/reporting.py report",
    "cli/study.py study",
    "estimators/functions.py k_means",
    "estimators/kmeans.py __init__",
    "estimators/minibatch.py __init__",
    "images/collection.py from_arrays",
    "images/parquet.py read",
    "images/staying.py stored_images",
    "study/run.py run_study",
}

ARRAY = re.compile(r"(Array|NDArray)\[|(Float|Int)(32|64)\b")
SHAPE = re.compile(r"\([^()\s][^()]*,[^()]*\)|any shape|[Aa]s in `|^See `")

# What breaks a rule so far; a line leaves as its reason goes.
TOO_LONG: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
# Numbers that look like slacks and are none.
NO_SLACKS = {
    "engines/dense/policy.py": "costs, measured",
    "engines/cluster/ahead.py": "costs, measured",
    "engines/compact/placing.py": "a quantile",
    "engines/exact/unit_kernels.py": "chooses between two ways to scale a row; certifies nothing",
    "engines/exact/parts.py": "2^-53 makes an integer an even number in [0, 1)",
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))


def parameters(function: ast.FunctionDef) -> int:
    told = function.args
    every = [*told.posonlyargs, *told.args, *told.kwonlyargs]
    return len([argument for argument in every if argument.arg not in ("self", "cls")])


def lines_of_docstring(function: ast.FunctionDef) -> int:
    first = function.body[0]
    return 0 if ast.get_docstring(function) is None else (first.end_lineno or 0) - first.lineno + 1


def is_slack(node: ast.AST) -> bool:
    """Whether a number is tiny, or a little more than 1; or a negative power of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return 0.0 < node.value < 0.1 or 1.0 < node.value < 1.1
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Pow)
        and isinstance(node.right, ast.UnaryOp)
        and isinstance(node.right.op, ast.USub)
        and isinstance(node.right.operand, ast.Constant)
    )


def broken(rule: str, found: set[str], known: set[str]) -> None:
    """Fail where a rule is broken that was not, and where one is no longer broken that is on the list."""
    assert found <= known, f"{rule}: {found - known}"
    assert found == known, f"no longer against the rule, so take off the list: {known - found}"


def test_no_file_is_longer_than_can_be_read_in_one_go() -> None:
    long = {name_of(path) for path in EVERY if len(path.read_text("utf-8").splitlines()) > FILE}
    broken(f"over {FILE} lines", long, TOO_LONG)


def test_no_function_is_longer_than_a_page() -> None:
    long = set()
    for path in RULED:
        for function in functions(path):
            made_of = {ast.unparse(decorator) for decorator in function.decorator_list}
            most = KERNEL if made_of & KERNELS else FUNCTION
            if (function.end_lineno or 0) - function.lineno + 1 > most:
                long.add(f"{name_of(path)} {function.name}")
    broken(f"over {FUNCTION} lines, or {KERNEL} of a kernel", long, LONG_FUNCTIONS)


def test_no_function_outside_of_kernels_is_longer_than_a_page_without_its_docstring() -> None:
    """Public functions have long docstrings."""
    long = {
        f"{name_of(path)} {function.name}"
        for path in EVERY
        if path not in RULED
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 - lines_of_docstring(function) > FUNCTION
    }
    broken(f"over {FUNCTION} lines", long, set())


def test_no_function_has_more_parameters_than_can_be_kept_in_mind() -> None:
    many = {
        f"{name_of(path)} {function.name}"
        for path in EVERY
        for function in functions(path)
        if parameters(function) > PARAMETERS
    }
    broken(f"over {PARAMETERS} parameters", many, MANY_OPTIONS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_grows_unnoticed(folder: str) -> None:
    """What is added to a folder first makes room there, or its limit is raised with a reason, in design.md as well."""
    files = list((PACKAGE / folder).glob("*.py"))
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in files)
    most_files, most_lines = FOLDERS[folder]
    assert (len(files) <= most_files, lines <= most_lines) == (True, True), f"{len(files)} files, {lines} lines"


def test_every_folder_has_a_limit() -> None:
    folders = {path.parent.relative_to(PACKAGE).as_posix() for path in EVERY}
    assert folders == set(FOLDERS)


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_abilities_of_points_are_asked_for_by_type(path: Path) -> None:
    """`isinstance(points, Sampling)`, not `hasattr(points, "sample")`: see `points.py`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            asked = ast.unparse(node.args[0])
            assert not re.search(r"(^|[._])(points|engine)$", asked), f"line {node.lineno}: {ast.unparse(node)}"
            assert asked != "self" or path not in ENGINES, f"line {node.lineno}: {ast.unparse(node)}"


def arrays_and_words(path: Path) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Functions with arrays among their arguments, and the docstring, or the comment, that can tell their shapes."""
    owners = {part: node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef) for part in node.body}
    lines = path.read_text("utf-8").splitlines()
    for function in functions(path):
        told = function.args
        kinds = [ast.unparse(of.annotation) for of in [*told.args, *told.kwonlyargs] if of.annotation]
        if any(ARRAY.match(kind) for kind in kinds):
            described = owners.get(function) if function.name == "__init__" else function
            comment = lines[function.body[0].lineno - 2].strip()
            yield function, (described and ast.get_docstring(described)) or comment.removeprefix("# ")


@pytest.mark.parametrize("path", SHAPED, ids=name_of)
def test_shapes_of_arrays_are_told(path: Path) -> None:
    """Dtypes are in the annotations, and shapes in words: see CONTRIBUTING."""
    silent = {function.name for function, words in arrays_and_words(path) if not SHAPE.search(words)}
    assert not silent


def test_slacks_are_named_and_derived_in_the_bounds_alone() -> None:
    found = {
        f"{name_of(path)} line {node.lineno}: {ast.unparse(node)}"
        for path in ENGINES
        if path.parent.name != "bounds" and name_of(path) not in NO_SLACKS
        for node in ast.walk(tree(path))
        if is_slack(node)
    }
    assert not found
    assert all((PACKAGE / name).exists() for name in NO_SLACKS)
