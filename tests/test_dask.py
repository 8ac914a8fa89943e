"""Points on a Dask cluster: the same bits as in memory, for any chunks and workers, even if workers die."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra `dask`")

import dask.array as da
import dask.dataframe as dd
import pandas as pd

from dask_cases import cluster, outcomes
from steinhaus import Features, KMeans, SphericalKMeans, Study
from steinhaus.engines import choose
from steinhaus.engines.cluster.points import DaskPoints, spread
from steinhaus.errors import DataError
from steinhaus.images import open_images
from steinhaus.lloyd import lloyd
from steinhaus.points import Run
from steinhaus.seeding import Stream, starts
from steinhaus.study.run import run_study


@pytest.fixture(scope="module")
def client():
    with cluster(2) as started:
        yield started


@pytest.fixture(params=["each worker has all points", "each has its parts"])
def spreading(request, monkeypatch):
    """Both ways of a pass."""
    if request.param == "each has its parts":
        monkeypatch.setattr("steinhaus.engines.cluster.ahead._FEW", 0)
    return request.param


def seeded(points, ks=(5, 9)):
    return [Run((k, r), starts(points, k, "random", Stream(0, k, r))) for k in ks for r in range(2)]


def hard(rng, dtype, n=1500, d=40):
    """Points with ties, duplicates, an offset, and clusters that run empty."""
    x = rng.integers(0, 6, (n, d)) * 40
    x[n // 2 :] = x[: n - n // 2]
    return (x + (1e4 if np.dtype(dtype).kind == "f" else 0)).astype(dtype)


@pytest.mark.parametrize(
    ("chunks", "dtype"),
    [
        ((100, 40), np.uint8),
        ((409, 40), np.float32),
        (((1, 700, 3, 796), 40), np.float64),
        ((500, (13, 27)), np.float32),
    ],
    ids=["small", "even", "uneven", "split features"],
)
def test_chunks_are_as_memory_bit_for_bit(client, dtype, chunks, spreading, rng):
    x = hard(rng, dtype)
    points = DaskPoints(da.from_array(x, chunks=chunks), client=client)
    inside = choose(x)
    assert points.rows(np.array([1499, 0, 700])).tolist() == x[[1499, 0, 700]].tolist()
    runs = [*seeded(points), Run("far", np.vstack([x[:3], x[:3] + 1e6, x[:1] - 1e6]).astype(float))]
    assert runs[0].centroids.tolist() == seeded(inside)[0].centroids.tolist()
    assert outcomes(points, runs) == outcomes(inside, runs)


@pytest.mark.parametrize("init", ["k-means++", "k-means||"])
def test_seeding_by_distances_and_tolerance(client, init, spreading, rng):
    x = hard(rng, np.float64, 400, 7)

    def study(points):
        return outcomes(points, [Run(0, starts(points, 6, init, Stream(0, 6, 0)))], tol=1e-2)

    assert study(DaskPoints(da.from_array(x, chunks=(90, 7)), client=client)) == study(choose(x))


def test_a_study_of_features_is_the_same_on_a_cluster(client, spreading, rng):
    pictures, vectors = rng.integers(0, 256, (300, 8, 8), dtype=np.uint8), rng.normal(size=(300, 9)).astype(np.float32)
    images = open_images(pictures, features=Features(vectors, normalise=True, pca=4))
    study = Study(k=[3, 6], restarts=2)
    here, there = study.run(images), run_study(study, images, choose=lambda rows, **_: spread(rows, client))
    assert there.record == here.record
    for k in (3, 6):
        assert there.raw_centroids(k).tobytes() == here.raw_centroids(k).tobytes()
        assert there.labels(k).tolist() == here.labels(k).tolist()
        assert there.mean_images(k).tobytes() == here.mean_images(k).tobytes()
        assert there.medoids(k).tolist() == here.medoids(k).tolist()


def counted(points, monkeypatch):
    """How many messages its passes took, as a list that grows."""
    messages, results = [], points._cluster.results

    def counting(ask):
        messages.append(ask)
        return results(ask)

    monkeypatch.setattr(points._cluster, "results", counting)
    return messages


def test_workers_with_all_points_go_ahead_and_the_runs_are_theirs(client, monkeypatch, rng):
    x = rng.integers(0, 255, (3000, 40)).astype(np.uint8)
    points, inside = DaskPoints(da.from_array(x, chunks=(500, 40)), client=client), choose(x)
    messages = counted(points, monkeypatch)
    runs = seeded(inside)
    iterations = []
    for engine in (points, inside):
        fits = {fit.key: fit for fit in lloyd(engine, runs)}
        iterations.append({key: (fit.history, fit.inertia, fit.stop) for key, fit in fits.items()})
    assert iterations[0] == iterations[1]
    longest = max(len(history) for history, *_ in iterations[0].values())
    assert longest > 16
    assert len(messages) <= 8
    assert set(points.speeds) == set(client.nthreads()), "both workers had some of the runs"
    assert len(points._ahead._copies) == 2
    assert points._ahead._known == {}, "nothing is remembered of runs that ended"
    points.close()


def test_workers_go_ahead_past_clusters_that_run_empty(client, monkeypatch, rng):
    x = rng.integers(0, 255, (3000, 40)).astype(np.uint8)
    points, inside = DaskPoints(da.from_array(x, chunks=(500, 40)), client=client), choose(x)
    messages = counted(points, monkeypatch)
    far = x[:6].astype(float)
    far[[2, 4]] += 1e6
    assert (inside.assign([Run("first", far)])[0].counts == 0).sum() == 2
    (found,), (expected,) = (list(lloyd(engine, [Run("far", far)])) for engine in (points, inside))
    assert (found.history, found.inertia, found.stop) == (expected.history, expected.inertia, expected.stop)
    assert len(found.history) > 16
    assert len(messages) <= 8
    points.close()


def test_what_was_known_ahead_and_not_wanted_changes_nothing(client, monkeypatch, rng):
    x = rng.integers(0, 255, (3000, 40)).astype(np.uint8)
    points, inside = DaskPoints(da.from_array(x, chunks=(500, 40)), client=client), choose(x)
    messages = counted(points, monkeypatch)
    how = {"max_iter": 9, "project": np.round}
    found = [[(fit.key, fit.history, fit.inertia) for fit in lloyd(e, seeded(inside), **how)] for e in (points, inside)]
    assert found[0] == found[1]
    assert len(messages) >= 9
    points.close()


def test_large_k_is_worked_on_by_all_workers(client, rng):
    x = rng.integers(0, 255, (40_000, 64)).astype(np.uint8)
    points = DaskPoints(da.from_array(x, chunks=(5000, 64)), client=client)
    large, small = Run("large", x[:2000].astype(float)), Run("small", x[:10].astype(float))
    assert points._ahead.pays([small])
    assert not points._ahead.pays([large])
    assert not points._ahead.pays([large])
    assert points._ahead.pays([Run(key, small.centroids) for key in range(4)])
    points.assign([small])
    assert len(points._ahead._copies) == 1, "one run needs no second copy"
    points.assign([Run(key, small.centroids) for key in range(4)])
    assert len(points._ahead._copies) == 2
    points.close()


def test_labels_stay_on_the_workers_until_asked_for(client, rng):
    x = hard(rng, np.uint8)
    points, inside = DaskPoints(da.from_array(x, chunks=(200, 40)), client=client), choose(x)
    run = Run("it", x[:7].astype(float))
    points.assign([run])
    inside.assign([run])
    labels = points.labels_array("it")
    points.close()
    assert isinstance(labels, da.Array)
    assert labels.dtype == np.int32
    assert labels.compute().tolist() == inside.labels("it").tolist()


def test_the_workers_write_labels(client, tmp_path, rng):
    zarr = pytest.importorskip("zarr", reason="needs the extra `zarr`")
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    x = hard(rng, np.uint8)
    model = KMeans(5, init="k-means||", random_state=0).fit(da.from_array(x, chunks=(200, 40)))
    expected = KMeans(5, init="k-means||", random_state=0).fit(x).labels_.tolist()
    model.labels_.rechunk(300).to_zarr(str(tmp_path / "labels.zarr"))
    assert zarr.open_array(tmp_path / "labels.zarr", mode="r")[:].tolist() == expected
    model.labels_.to_dask_dataframe(columns="cluster").to_frame().to_parquet(str(tmp_path / "labels"))
    assert len(list((tmp_path / "labels").glob("*.parquet"))) == model.labels_.numblocks[0] == 2
    assert pq.read_table(tmp_path / "labels")["cluster"].to_pylist() == expected


def test_frames_and_chunks_of_unknown_size(client, rng):
    x = rng.random((300, 4))
    frame = dd.from_pandas(pd.DataFrame(x, columns=list("abcd")), npartitions=3)
    runs = [Run(0, x[:5])]
    inside = outcomes(choose(x), runs)
    assert outcomes(DaskPoints(frame, client=client), runs) == inside
    assert outcomes(DaskPoints(frame.to_dask_array(), client=client), runs) == inside
    with pytest.raises(DataError, match="not: e"):
        DaskPoints(frame.assign(e="text"), client=client)


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_frames_of_extension_types_give_the_model_of_the_same_frame_in_pandas(client, backend, rng):
    frame = pd.DataFrame({"a": rng.random(60), "b": rng.integers(0, 9, 60), "c": rng.random(60) < 0.5})
    frame = frame.convert_dtypes(dtype_backend=backend)
    kmeans = KMeans(3, init="k-means||", random_state=0)
    model = kmeans.fit(frame)
    expected = model.cluster_centers_.tolist(), model.labels_.tolist(), list(model.feature_names_in_)
    model = kmeans.fit(dd.from_pandas(frame, npartitions=2))
    assert (
        model.cluster_centers_.tolist(),
        model.labels_.compute().tolist(),
        list(model.feature_names_in_),
    ) == expected
    frame.loc[41, "b"] = pd.NA
    with pytest.raises(ValueError, match=r"row 41, column 1 holds nan|contains NaN"):
        kmeans.fit(dd.from_pandas(frame, npartitions=2))


def test_it_says_what_was_put_together(client, rng):
    x = rng.random((300, 8))
    points = DaskPoints(da.from_array(x, chunks=(20, 4)), client=client)
    assert "split the 8 features" in points.notes[0]
    assert "15 chunks are put together into 2" in points.notes[1]
    points.close()


def test_a_point_that_is_not_finite_is_named(client, rng):
    x = rng.random((1000, 5))
    x[703, 3] = np.inf
    with pytest.raises(DataError, match="row 703, column 3 holds inf"):
        DaskPoints(da.from_array(x, chunks=(100, 5)), client=client)


def test_a_chunk_that_a_worker_cannot_read_is_named(client, tmp_path, rng):
    zarr = pytest.importorskip("zarr", reason="needs the extra `zarr`")
    crc = zarr.codecs.Crc32cCodec()
    store = zarr.create_array(tmp_path / "x.zarr", shape=(900, 6), chunks=(90, 6), dtype="uint8", compressors=[crc])
    store[:] = rng.integers(1, 255, (900, 6)).astype(np.uint8)
    chunk = tmp_path / "x.zarr/c/4/0"
    chunk.write_bytes(chunk.read_bytes()[:-8] + bytes(8))
    with pytest.raises(DataError, match=r"x\.zarr: the chunk of images 360 to 449 cannot be read"):
        spread(open_images(tmp_path / "x.zarr", stored=True).rows, client)


def test_refining_is_as_in_memory(client, rng):
    x = rng.random((300, 6))
    how = {"n_clusters": 5, "init": "k-means++", "random_state": 3, "refine": "breathing", "refine_steps": 3}
    here, there = KMeans(**how).fit(x), KMeans(**how).fit(da.from_array(x, chunks=(120, 6)))
    assert [step.inertia for step in there.refine_] == [step.inertia for step in here.refine_]
    assert there.cluster_centers_.tolist() == here.cluster_centers_.tolist()
    assert there.labels_.compute().tolist() == here.labels_.tolist()


@pytest.mark.parametrize("init", ["k-means++", "hierarchical"])
@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_kmeans_takes_dask_arrays(client, dtype, init, rng, tmp_path):
    x = rng.random((900, 12)).astype(dtype)
    chunked = da.from_array(x, chunks=(250, 5))
    here = KMeans(7, init=init, random_state=3).fit(x)
    there = KMeans(7, init=init, random_state=3).fit(chunked)
    assert isinstance(there.labels_, da.Array)
    assert there.labels_.compute().tolist() == here.labels_.tolist()
    assert there.cluster_centers_.tolist() == here.cluster_centers_.tolist()
    assert (there.inertia_, there.n_iter_, there.n_features_in_) == (here.inertia_, here.n_iter_, 12)
    assert there.predict(chunked).compute().tolist() == here.predict(x).tolist()
    assert here.predict(chunked).compute().tolist() == here.predict(x).tolist()
    assert there.predict(x).tolist() == here.predict(x).tolist()
    assert there.score(chunked) == here.score(x)
    assert "7 clusters of 900 points" in there._repr_html_()
    there.save(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="map_blocks"):
        there.transform(chunked)
    with pytest.raises(ValueError, match="12 features"):
        there.predict(chunked[:, :5])


@pytest.mark.parametrize(
    "kind", [pytest.param("whole", marks=pytest.mark.slow), pytest.param("parts", marks=pytest.mark.slow), "levels"]
)
def test_weights_count_as_in_memory(client, kind, spreading, rng):
    """Empty clusters, weights of 0 and starts by weight among them; weights as an array, and as a Dask array."""
    x = hard(rng, np.float32, 900, 20)
    weights = {
        "whole": rng.integers(0, 4, 900) + 0.0, "parts": rng.random(900), "levels": 10.0 ** rng.integers(-25, 5, 900),
    }[kind]  # fmt: skip
    chunked, given = da.from_array(x, chunks=(250, 7)), da.from_array(weights, chunks=100)
    far = np.vstack([x[:4], x[:2] + 1e6]).astype(float)
    for init in ("k-means||", "random", far):
        how = {"n_clusters": 6, "init": init, "n_init": 1, "random_state": 3}
        here, there = KMeans(**how).fit(x, sample_weight=weights), KMeans(**how).fit(chunked, sample_weight=given)
        assert there.cluster_centers_.tolist() == here.cluster_centers_.tolist()
        assert there.labels_.compute().tolist() == here.labels_.tolist()
        assert there.inertia_history_.tolist() == here.inertia_history_.tolist()
        assert there.score(chunked, sample_weight=weights) == here.score(x, sample_weight=weights)


def test_starts_by_default_are_those_of_scalable(client, rng):
    x = rng.random((300, 6))
    there, here = KMeans(5, random_state=1).fit(da.from_array(x, chunks=(90, 6))), KMeans(5, random_state=1)
    assert (there.init_, here.fit(x).init_) == ("k-means||", "k-means++")
    assert there.inertia_history_[0] == here.set_params(init="k-means||").fit(x).inertia_history_[0]
    told = here.set_params(init="k-means++").fit(da.from_array(x, chunks=(90, 6)))
    assert told.init_ == "k-means++"


@pytest.mark.parametrize(
    "dtype",
    [np.uint8, pytest.param(np.float32, marks=pytest.mark.slow), pytest.param(np.float64, marks=pytest.mark.slow)],
)
def test_spherical_kmeans_takes_dask_arrays(client, dtype, rng):
    x = rng.integers(0, 200, (900, 12)).astype(dtype)
    x[17] = 0
    chunked = da.from_array(x, chunks=(250, 5))
    here = SphericalKMeans(7, init="k-means++", random_state=3).fit(x)
    there = SphericalKMeans(7, init="k-means++", random_state=3).fit(chunked)
    assert there.labels_.compute().tolist() == here.labels_.tolist()
    assert there.cluster_centers_.tolist() == here.cluster_centers_.tolist()
    assert there.cluster_centers_.dtype == here.cluster_centers_.dtype
    assert (there.inertia_, there.n_iter_) == (here.inertia_, here.n_iter_)
    assert there.predict(chunked).compute().tolist() == here.predict(x).tolist()


def test_kmeans_takes_frames_and_keeps_their_names(client, rng):
    frame = pd.DataFrame(rng.random((300, 4)), columns=list("abcd"))
    here, there = (KMeans(3, init="k-means||", random_state=0) for _ in range(2))
    here.fit(frame)
    there.fit(dd.from_pandas(frame, npartitions=4))
    assert there.labels_.compute().tolist() == here.labels_.tolist()
    assert there.feature_names_in_.tolist() == list("abcd")
