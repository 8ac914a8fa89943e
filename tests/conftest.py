"""Fixtures that every test may use."""

import os

import numpy as np
import pytest
from hypothesis import settings

# In CI the same problems every time, so that a change is what fails; new ones in every run by hand.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that have other things to look at, and no time for Matplotlib."""
    monkeypatch.setattr("steinhaus.resources.available_cores", lambda: 1)  # no second process
    monkeypatch.setattr("steinhaus.report.save_figures", lambda *_: [])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", metavar="M/N", help="run the tests whose place among all is M modulo N alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of other shares: CI has the slow ones of one share a day."""
    if share := config.getoption("--share"):
        number, of = map(int, share.split("/"))
        others = [item for place, item in enumerate(items) if place % of != number % of]
        config.hook.pytest_deselected(items=others)
        items[:] = items[number % of :: of]
