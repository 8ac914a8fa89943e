"""The rules of imports: which package may import which, and what must not be imported before it is used.

The table below is docs/design.md's "Imports point one way", room by room. A new room needs a row.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from package import KERNELS, PACKAGE

# A room, and the rooms whose modules it may import, from the ground up but for the public names; every room may import
# itself. "study.record" and "study.files" are rooms, the floor that the report stands on.
WALLS = """
__init__          errors images study estimators saving displays features

errors
wording
resources
points
breathing         points
jit
arithmetic        points jit
centroids         points arithmetic
lloyd             points centroids
seeding           points errors arithmetic
hierarchy         points seeding
restarts          points centroids seeding
naming            points errors

engines.workers   resources
engines.bounds    jit
engines.exact     points errors jit arithmetic engines.workers
engines.compact   points arithmetic breathing restarts errors jit resources seeding engines.workers engines.exact \
                  engines.bounds
engines.dense     points arithmetic errors jit resources seeding engines.workers engines.exact engines.bounds
engines.sparse    points errors jit engines.workers engines.exact engines.bounds
engines.wide      points errors jit engines.workers engines.exact
engines.splitting points errors jit hierarchy engines.workers engines.exact
engines.stream    points errors jit resources engines.workers engines.exact engines.bounds engines.dense
engines.cluster   points errors jit lloyd engines.workers engines.exact engines.bounds engines.dense
engines           points errors engines.workers engines.exact engines.compact engines.dense engines.sparse \
                  engines.wide engines.splitting engines.stream engines.cluster
costs             points engines
exchanges         points engines
refining          breathing centroids points lloyd seeding costs exchanges

canonical
signed            canonical
plots
features.asked    errors wording
features.space
study.record
study.files       errors
images            points errors seeding wording features.space
features          errors resources wording canonical engines features.asked features.space images study.files
images.opening    errors images wording features
images.importing  errors images wording images.opening
images.__init__   images images.opening
study             points errors lloyd seeding hierarchy refining engines naming images canonical signed wording \
                  study.record study.files features features.asked features.space __init__
saving            points errors signed study.files __init__
onnx              points errors saving
estimators        points errors resources lloyd centroids seeding restarts hierarchy refining engines engines.cluster \
                  saving onnx
displays          points errors engines naming plots study.record
report            errors plots study.record study.files
cli               points errors features features.asked resources engines engines.cluster images images.opening \
                  images.importing study study.record report wording __init__
__main__          cli
"""
ARROWS = {here: set(may) for here, *may in (line.split() for line in WALLS.splitlines() if line)}

# The one arrow that points up: in a notebook a StudyResult shows the report's page, imported when that is asked for.
UP = ("study.result", "report")

HEAVY = {
    "llvmlite",
    "sklearn",
    "scipy",
    "matplotlib",
    "PIL",
    "pooch",
    "safetensors",
    "joblib",
    "jinja2",
    "dask",
    "pandas",
}

# Modules that others import at their top, and so must be light themselves; the rest are imported where they are used.
LIGHT = [
    "__init__",
    "errors",
    "resources",
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
    """engines/workers.py -> engines.workers; engines/__init__.py -> engines.__init__; __init__.py -> __init__."""
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


# What kernels are written with, besides each other.
MATERIAL = {
    "points",
    "engines.bounds.bytes",
    "engines.compact.records",
    "engines.splitting.records",
    "engines.dense.factors",
    "engines.dense.group_records",
    "engines.dense.records",
    "engines.dense.slices",
}
# Kernels that share a page with the functions that call them.
WITH_CALLERS = {"engines.exact.distances", "engines.exact.limbs", "engines.exact.squares", "engines.exact.totals"}


@cache
def imports_of(path: Path) -> set[str]:
    return {full for node in ast.walk(ast.parse(path.read_text("utf-8"))) for full in imported(node, module_name(path))}


@cache
def kernel_modules() -> dict[str, set[str]]:
    """Each kernel module, and the full names that it imports."""
    makers = {f"steinhaus.jit.build.{name}" for name in KERNELS}
    found = {module_name(path): imports_of(path) for path in modules()}
    return {name: names for name, names in found.items() if names & makers and room(name) != "jit"}


@pytest.mark.parametrize("name", sorted(kernel_modules()))
def test_kernels_are_made_of_numpy_and_kernels_alone(name: str) -> None:
    beside = name in WITH_CALLERS
    names = kernel_modules()[name]
    abroad = {full.split(".")[0] for full in names} - {"steinhaus"}
    assert abroad <= {"__future__", "dataclasses", "math", "typing", "numpy"} | ({"fractions"} if beside else set())
    ours = {target for full in names if (target := own(full)) is not None and room(target) != "jit"}
    assert ours <= MATERIAL | set(kernel_modules()) | ({"engines.workers", "engines.exact.grid"} if beside else set())


def test_nothing_imports_numba() -> None:
    assert not [path for path in modules() for full in imports_of(path) if full.split(".")[0] == "numba"]


def test_siblings_never_meet() -> None:
    """Sparse and dense points know nothing of each other, nor do points on disk and on a cluster."""
    for one, other in (("sparse", "dense"), ("stream", "cluster"), ("sparse", "stream"), ("sparse", "cluster")):
        assert f"engines.{other}" not in ARROWS[f"engines.{one}"]
        assert f"engines.{one}" not in ARROWS[f"engines.{other}"]


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
        imports = {full for node in ast.walk(ast.parse(text)) for full in imported(node, "any")}
        names = {full.split(".")[0] for full in imports - {"joblib.cpu_count"}}
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


def test_estimators_load_what_scikit_learn_loads_and_no_kernels() -> None:
    names = ("KMeans", "MiniBatchKMeans", "SphericalKMeans", "k_means", "kmeans_plusplus")
    code = f"import steinhaus; {'; '.join(f'steinhaus.{name}' for name in names)}"
    ours = loaded_by(code) - set(sys.stdlib_module_names)
    assert ours - loaded_by("from sklearn.cluster import KMeans") == {"steinhaus"}
    kernels = "(name for name in sys.modules if name.startswith(('steinhaus.jit', 'steinhaus.arithmetic')))"
    report = f"{code}\nimport sys\nprint(*{kernels})"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert not done.stdout.split()
