"""
In a scikit-learn pipeline
==========================

Use KMeans in a scikit-learn pipeline after scaling and PCA, search parameters, then save and load the model.

python examples/pipeline_pca.py [FOLDER]
"""

import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import steinhaus
from steinhaus import KMeans

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)
X, y = load_wine(return_X_y=True)

pipe = make_pipeline(StandardScaler(), PCA(), KMeans(3, n_init=5, random_state=0))


def agreement(pipe, X, y):
    """The agreement of clusters and cultivars."""
    return adjusted_rand_score(y, pipe.predict(X))


search = GridSearchCV(pipe, {"pca__n_components": [1, 2, 4, 8]}, scoring=agreement, cv=3).fit(X, y)
print(f"best with {search.best_params_['pca__n_components']} components: adjusted Rand index {search.best_score_:.3f}")

kmeans = search.best_estimator_[-1]
kmeans.save(folder / "wine.safetensors")
again = steinhaus.load(folder / "wine.safetensors")
components = search.best_estimator_[:-1].transform(X)
assert (again.predict(components) == kmeans.predict(components)).all()
print(f"saved and loaded: {again}")
