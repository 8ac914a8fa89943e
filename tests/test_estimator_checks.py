"""scikit-learn's checks of estimators, on all of ours. With SCIPY_ARRAY_API=1, the check of the array API runs, too."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from steinhaus import KMeans, MiniBatchKMeans, SphericalKMeans

ESTIMATORS = [
    KMeans(2, n_init=2, max_iter=5),
    SphericalKMeans(2, max_iter=5),
    MiniBatchKMeans(2, max_iter=5, batch_size=10),
]

# The checks draw starts from the same rows in two orders; scikit-learn expects the same two to fail of its own. That a
# weight of 2 is two rows, from the same start, `test_weighted.py` shows.
SEEDED = {
    f"check_sample_weight_equivalence_on_{kind}_data": "starts are drawn by the order of the rows"
    for kind in ("dense", "sparse")
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Number of distinct clusters")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: SEEDED)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
