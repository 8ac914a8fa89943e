"""The output of the command."""

from __future__ import annotations

import pytest


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was written to standard error, on one line."""
    return " ".join(capsys.readouterr().err.split())
