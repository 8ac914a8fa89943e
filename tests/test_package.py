"""The installed package: its public names, its version, its documents."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import steinhaus

ROOT = Path(__file__).parent.parent
MODULES = sorted(module.name for module in pkgutil.walk_packages(steinhaus.__path__, "steinhaus."))


DASK = ("ahead", "arrays", "connection", "points", "tasks")
EXTRAS = {  # modules that import an extra's
    "steinhaus.images.zarr_frames": "zarr",
    **{f"steinhaus.engines.cluster.{name}": "distributed" for name in DASK},
}


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_every_public_name_is_there() -> None:
    for name in steinhaus.__all__:
        assert getattr(steinhaus, name) is not None
    assert dir(steinhaus) == sorted(steinhaus.__all__)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        steinhaus.nosuch  # noqa: B018


def test_the_command_is_the_entry_point(project: dict[str, dict[str, str]]) -> None:
    module, name = project["scripts"]["steinhaus"].split(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_types_travel_with_the_package() -> None:
    assert (Path(steinhaus.__file__).parent / "py.typed").is_file()


def test_the_version_is_that_of_the_installed_package() -> None:
    try:
        installed = importlib.metadata.version("steinhaus")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("steinhaus runs from its sources here, and is not installed")
    assert installed == steinhaus.__version__


def test_the_changelog_knows_the_version_or_what_is_to_come() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[(Unreleased|{re.escape(steinhaus.__version__)})\]", text, re.MULTILINE)


def test_the_citation_names_the_version() -> None:
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(rf"^version: {re.escape(steinhaus.__version__)}$", text, re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name: str) -> None:
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name], reason=f"needs the package {EXTRAS[name]}")
    assert inspect.getdoc(importlib.import_module(name)), f"{name} has no docstring"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/design.md"])
def test_links_between_documents_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), f"{name} links to {target}"


def test_readme_begins_with_the_study_and_the_tests() -> None:
    """Its first two commands are what a fresh clone needs; `.ci/run` runs them as they stand there."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    first, second, *_ = [line for block in blocks for line in block.splitlines() if line]
    assert first.endswith("/steinhaus study")
    assert second.endswith("/pytest")
