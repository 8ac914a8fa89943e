"""The walls of the house: which room may import which, and what must not be imported before it is used.

The table below is docs/design.md's "Imports point one way", room by room. A new module needs a row.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import steinhaus

PACKAGE = Path(steinhaus.__file__).parent

# Room -> the rooms whose modules it may import, from the ground up; every room may import itself. "study.record" and
# "study.files" are rooms, the floor that the report stands on, and so are the engines' leaf functions.
ARROWS: dict[str, set[str]] = {
    "__init__": {"errors", "images", "study", "estimators", "saving", "displays"},
    "errors": set(),
    "wording": set(),
    "points": set(),
    "simd": set(),
    "compiled": {"simd"},
    "handing": set(),
    "arithmetic": {"compiled", "simd"},
    "centroids": {"points", "arithmetic"},
    "seeding": {"points", "arithmetic", "errors"},
    "lloyd": {"points", "arithmetic", "centroids"},
    "naming": {"points", "errors"},
    "engines.screening": {"compiled"},
    "engines.rounding": {"engines.screening"},
    "engines.records": {"engines.rounding", "engines.screening"},
    "engines.counting": {"compiled", "simd"},
    "engines.products": {"compiled", "handing", "simd", "engines.screening"},
    "engines.tiles": {"compiled", "simd", "engines.products", "engines.rounding"},
    "engines.ordering": {"compiled", "handing", "simd", "engines.products", "engines.records"},
    "engines.kernels": {
        "compiled",
        "handing",
        "simd",
        "engines.products",
        "engines.records",
        "engines.tiles",
    },
    "engines.centroid_kernels": {"compiled", "handing", "simd", "engines.products", "engines.screening"},
    "engines.distance_kernels": {"compiled", "handing", "simd", "engines.products", "engines.screening"},
    "engines.limbs": {"compiled", "points"},
    "engines.dense_kernels": {"compiled", "engines.limbs"},
    "engines.nearest_kernels": {
        "compiled",
        "handing",
        "simd",
        "engines.products",
        "engines.records",
        "engines.screening",
        "engines.tiles",
    },
    "engines.sparse_kernels": {"compiled", "simd", "engines.limbs", "engines.products"},
    "engines": {
        "handing",
        "simd",
        "engines.centroid_kernels",
        "engines.counting",
        "engines.dense_kernels",
        "engines.distance_kernels",
        "engines.kernels",
        "engines.limbs",
        "engines.nearest_kernels",
        "engines.ordering",
        "engines.products",
        "engines.records",
        "engines.rounding",
        "engines.screening",
        "engines.sparse_kernels",
        "engines.tiles",
        "points",
        "errors",
        "centroids",  # for workers that go ahead
    },
    "engines.warming": {"compiled", "engines", "engines.kernels", "lloyd", "centroids", "points"},
    "study.files": {"errors"},
    "canonical": set(),
    "signed": {"canonical"},
    "saving": {"signed", "points", "errors", "study.files", "__init__"},
    "onnx": {"errors", "points", "saving"},
    "estimators": {"lloyd", "centroids", "engines", "seeding", "points", "errors", "saving", "onnx"},
    "images": {"errors", "points", "seeding", "wording"},
    "study.record": set(),
    "study": {
        "study.record",
        "study.files",
        "canonical",
        "signed",
        "lloyd",
        "engines",
        "seeding",
        "naming",
        "images",
        "points",
        "errors",
        "wording",
        "__init__",
    },
    "displays": {"errors", "points", "engines", "study.record", "naming"},
    "report": {"study.record", "study.files", "errors"},
    "cli": {
        "report",
        "study",
        "study.record",
        "engines",
        "engines.warming",
        "images",
        "points",
        "errors",
        "wording",
        "__init__",
    },
    "__main__": {"cli"},
}

# The one arrow that points up: in a notebook a StudyResult shows the report's page, imported when that is asked for.
UP = ("study.result", "report")

HEAVY = {
    "numba",
    "llvmlite",
    "sklearn",
    "scipy",
    "matplotlib",
    "PIL",
    "pooch",
    "safetensors",
    "jinja2",
    "dask",
    "pandas",
}

# Modules that others import at their top, and so must be light themselves; the rest are imported where they are used.
LIGHT = [
    "__init__",
    "errors",
    "points",
    "seeding",
    "images.__init__",
    "study.__init__",
    "study.events",
    "study.record",
    "report.__init__",
    *(f"cli.{path.stem}" for path in sorted((PACKAGE / "cli").glob("*.py"))),
]


def module_name(path: Path) -> str:
    """engines/memory.py -> engines.memory; engines/__init__.py -> engines.__init__; __init__.py -> __init__."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def room(module: str) -> str:
    """The most particular row of the table that a module belongs to."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in ARROWS:
            return name
    raise AssertionError(f"{module} is in no room: give it a row in ARROWS, as docs/design.md has it")


def imported(node: ast.AST, module: str) -> Iterator[str]:
    """The full names that an import statement names; nothing for other nodes."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module} line {node.lineno}: imports are absolute here"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(full: str) -> str | None:
    """steinhaus.engines.choose -> engines; steinhaus.study.record.Run -> study.record; numpy.x -> None."""
    parts = full.split(".")
    if parts[0] != "steinhaus":
        return None
    for length in range(len(parts), 1, -1):
        place = PACKAGE.joinpath(*parts[1:length])
        if place.is_dir() or place.with_suffix(".py").is_file():
            return ".".join(parts[1:length])
    return "__init__"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def at_import_time(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: not function bodies, and not what only the type checker reads."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_no_arrow_points_up(path: Path) -> None:
    module = module_name(path)
    here = room(module)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for full in imported(node, module):
            if (target := own(full)) is not None and (there := room(target)) != here and (module, there) != UP:
                assert there in ARROWS[here], (
                    f"{module} line {node.lineno} imports {full}: {here} may not import {there}"
                )


def test_the_arrow_that_points_up_is_followed_only_when_it_is_needed() -> None:
    tree = ast.parse((PACKAGE / "study" / "result.py").read_text("utf-8"))
    assert UP[1] in {own(full) for node in ast.walk(tree) for full in imported(node, UP[0])}
    assert UP[1] not in {own(full) for node in at_import_time(tree) for full in imported(node, UP[0])}


def test_the_table_itself_points_one_way() -> None:
    ranks = {name: place for place, name in enumerate(ARROWS)}
    up = {
        (here, there)
        for here, allowed in ARROWS.items()
        for there in allowed
        if ranks[there] >= ranks[here] and here != "__init__"
    }
    assert not up


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_nothing_heavy_at_their_top(module: str) -> None:
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    for node in at_import_time(ast.parse(path.read_text("utf-8"))):
        for full in imported(node, module):
            assert full.split(".")[0] not in HEAVY, f"{module} line {node.lineno}: import {full} where it is used"


_LEAVES = [
    "centroid_kernels", "counting", "distance_kernels", "kernels", "ordering", "products", "records", "rounding",
    "tiles",
]  # fmt: skip


@pytest.mark.parametrize("name", _LEAVES)
def test_kernels_import_numpy_numba_and_their_intrinsics_alone(name: str) -> None:
    path = PACKAGE / "engines" / f"{name}.py"
    names = {
        full.split(".")[0] for node in ast.walk(ast.parse(path.read_text("utf-8"))) for full in imported(node, name)
    }
    assert names <= {"__future__", "math", "typing", "numpy", "numba", "steinhaus"}


def test_only_the_command_line_prints() -> None:
    for path in modules():
        if room(module_name(path)) in ("cli", "__main__"):
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert not [
            call.lineno for call in calls if ast.unparse(call.func) in {"print", "sys.exit", "exit", "os._exit"}
        ], path


def test_nothing_pickles() -> None:
    for path in modules():
        text = path.read_text("utf-8")
        names = {full.split(".")[0] for node in ast.walk(ast.parse(text)) for full in imported(node, "any")}
        assert not names & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}, path
        assert "allow_pickle=True" not in text, path


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running some code."""
    report = f"{code}\nimport sys\nprint('loaded', *sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import steinhaus",
        "import steinhaus; steinhaus.open_images; steinhaus.Study; steinhaus.SteinhausError",
        "from steinhaus.cli import main\nmain(['--help'])",
        "from steinhaus.cli import main\nmain(['study', '--help'])",
    ],
    ids=["import", "public-names", "help", "study-help"],
)
def test_a_light_start_loads_nothing_heavy(code: str) -> None:
    assert not loaded_by(code) & HEAVY


def test_the_package_itself_loads_not_even_numpy() -> None:
    assert not loaded_by("import steinhaus") & (HEAVY | {"numpy", "click", "rich"})
