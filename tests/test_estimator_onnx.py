"""Models as ONNX graphs: another runtime gives our labels if the margin exceeds the stated bound."""

from __future__ import annotations

import os

import numpy as np
import pytest

from steinhaus import KMeans
from steinhaus.errors import ModelError
from steinhaus.onnx import score_bound

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def differing(kmeans, x, path):
    """How many labels differ from the graph's; asserts that all of them are closer than the bound."""
    kmeans.to_onnx(path)
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (labels,) = session.run(None, {"X": x.astype(np.float32)})
    assert labels.dtype == np.int64
    scores = -(kmeans.transform(x.astype(np.float64)) ** 2) / 2
    best = np.sort(scores, axis=1)
    margin = best[:, -1] - best[:, -2]
    bound = 2 * score_bound(kmeans, np.linalg.norm(x.astype(np.float64), axis=1))
    differ = labels != kmeans.predict(x)
    assert not (differ & (margin > bound)).any()
    return int(differ.sum()), float((margin <= bound).mean())


def test_three_nodes(rng, tmp_path):
    x = rng.normal(size=(200, 12))
    KMeans(5, random_state=0).fit(x).to_onnx(tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    assert [node.op_type for node in model.graph.node] == ["MatMul", "Sub", "ArgMax"]


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_labels_are_ours_beyond_the_bound(rng, offset, tmp_path):
    x = (rng.normal(size=(2000, 40)) + offset).astype(np.float32)
    differ, close = differing(KMeans(12, random_state=0).fit(x), x, tmp_path / "model.onnx")
    assert differ < 20
    assert close < 0.5


@pytest.mark.skipif(not os.environ.get("STEINHAUS_DATA"), reason="STEINHAUS_DATA does not name the folder of MNIST")
def test_on_mnist(tmp_path):
    from steinhaus import open_images

    images = open_images("mnist", data=os.environ["STEINHAUS_DATA"])
    kmeans = KMeans(10, init="random", n_init=1, random_state=0, max_iter=20).fit(images.rows[:60000])
    differ, close = differing(kmeans, images.rows[60000:], tmp_path / "model.onnx")
    assert differ == 0
    assert close < 0.01


def test_what_float32_cannot_hold_is_refused(rng, tmp_path):
    kmeans = KMeans(2, random_state=0).fit(1e25 * rng.normal(size=(20, 3)))
    with pytest.raises(ModelError, match="beyond float32"):
        kmeans.to_onnx(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="Call fit first"):
        KMeans().to_onnx(tmp_path / "model.onnx")
