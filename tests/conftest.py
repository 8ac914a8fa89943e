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
