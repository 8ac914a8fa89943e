"""The study: its plan (`plan`), its execution (`run`), its results (`record`) and its folder (`store`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Public name -> the module that holds it. Imported on first use, because the report needs only `study.record`.
_HOMES = {
    "Study": "steinhaus.study.study",
    "StudyResult": "steinhaus.study.result",
    "load": "steinhaus.study.result",
}

__all__ = ["Study", "StudyResult", "load"]

if TYPE_CHECKING:
    from steinhaus.study.result import StudyResult, load
    from steinhaus.study.study import Study


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'steinhaus.study' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
