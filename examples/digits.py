"""
Handwritten digits
==================

Cluster 1,797 handwritten digits, and look at the clusters.

    python examples/digits.py [FOLDER]

Writes inertia.png, centroids.png, confusion.png and advice.png into FOLDER (default: the current one).
"""

import sys
from pathlib import Path

from sklearn.datasets import load_digits

from steinhaus import KMeans
from steinhaus.displays import CentroidsDisplay, ConfusionDisplay, InertiaDisplay, KAdvice

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)
X, y = load_digits(return_X_y=True)

kmeans = KMeans(10, init="random", n_init=8, random_state=0).fit(X)
print(f"inertia {kmeans.inertia_:,.0f} after {kmeans.n_iter_} iterations: {kmeans.stop_reason_.value}")
for number, run in enumerate(kmeans.runs_):
    print(f"restart {number}: {run.inertia:,.0f} after {run.n_iter} iterations")

InertiaDisplay.from_estimator(kmeans).figure_.savefig(folder / "inertia.png")
CentroidsDisplay.from_estimator(kmeans).figure_.savefig(folder / "centroids.png")
ConfusionDisplay.from_estimator(kmeans, X, y).figure_.savefig(folder / "confusion.png")

advice = KAdvice.from_estimator([KMeans(k, n_init=4, random_state=0).fit(X) for k in (2, 4, 6, 8, 10, 12, 16)], X)
print(advice)
advice.plot()
advice.figure_.savefig(folder / "advice.png")
