"""Few points of many features, read where they stand: all distances in float64, strip by strip of the features."""
