"""K-means with the scikit-learn API. Each estimator has a file."""
