"""Starts in two levels: the points in parts, each clustered by one thread. See `hierarchy`."""
