"""Points on Dask's workers: each part by the dense engine where it lies; integer tallies are added on the way here.

`points.DaskPoints` is the contract, `tasks` is what workers do, `connection` what is done when they are lost, `arrays`
how collections become parts, `ahead` iterations that workers make by themselves where points are few.
"""
