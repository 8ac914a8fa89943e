"""K-means behind the scikit-learn API, one estimator a file."""
