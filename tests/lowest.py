"""The lowest versions that pyproject.toml allows, as constraints for pip.

    pip install -c <(python tests/lowest.py) '.[test]'

What these need in turn is pip's to choose.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

TOOLS = ("dev", "docs")
PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def constraints() -> list[str]:
    """A line `name==version` for each requirement of the package and of its extras, but those of tools.

    A requirement without a lower bound is an error.
    """
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    extras = [each for name, group in project["optional-dependencies"].items() if name not in TOOLS for each in group]
    lines = []
    for requirement in [*project["dependencies"], *extras]:
        name, version, where = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[\w+\])?>=([0-9.]+)(;.*)?", requirement).groups()
        lines.append(f"{name}=={version}{where or ''}")
    return sorted(set(lines))


if __name__ == "__main__":
    print("\n".join(constraints()))
