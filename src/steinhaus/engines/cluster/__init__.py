"""Points on Dask's workers. Each worker labels its own parts with the dense engine; their integer tallies are added.

- `points`: `DaskPoints`, which implements `Points`
- `tasks`: the functions that run on workers
- `connection`: waiting for results, and recovering from lost workers
- `arrays`: Dask collections as arrays of a few parts
- `ahead`: iterations that workers make by themselves if there are few points
"""
