"""Few points of many features: all distances in float64, in strips of features, without a copy of the points."""
