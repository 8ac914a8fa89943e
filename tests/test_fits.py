"""Small hard problems against the oracle: a few of the many thousands in `long/fits.py`."""

from __future__ import annotations

import pytest

from fitting import wrong


def test_hard_problems_are_fitted_as_the_oracle_does():
    assert not [told for number in range(30) if (told := wrong(number))]


@pytest.mark.slow
def test_more_of_them():
    assert not [told for number in range(30, 400) if (told := wrong(number))]
