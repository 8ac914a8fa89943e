"""A fitted estimator as an ONNX graph of three nodes, for other runtimes. Needs the extra `onnx`.

The graph computes s_j = x . e_j - h_j in float32 and takes the largest: MatMul, Sub, ArgMax (ties to the lowest). Here
e_j = c_j - m, with m the mean of the centroids, and h_j = (|c_j|^2 - |m|^2) / 2. So s_a - s_b is half the difference of
the squared distances to c_b and c_a. Each s_j is off by at most `score_bound`. If the two largest scores of a row
differ by more than twice this bound, the row gets the same label as from `predict`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from steinhaus.errors import ModelError
from steinhaus.points import Float64
from steinhaus.saving import write

OPSET, IR_VERSION = 13, 8  # runtimes from 2021 on read these
_UNIT = 2.0**-24


def export(estimator: Any, path: str | Path) -> None:
    """Write a graph with one input, `X` (n, n_features) float32, and one output, `label` (n,) int64.

    Parameters
    ----------
    estimator
        A fitted estimator.
    path
        The file. An existing file is replaced.

    Raises
    ------
    ModelError
        If the package onnx is not installed, the estimator is not fitted, or its centroids are out of float32's range.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ModelError("Export needs the package onnx: pip install 'steinhaus[onnx]'.") from error
    if not hasattr(estimator, "cluster_centers_"):
        raise ModelError(f"This {type(estimator).__name__} has no centroids to export. Call fit first.")
    rows, half = _frame(estimator)
    with np.errstate(over="ignore"):
        across, offsets = rows.T.astype(np.float32), half.astype(np.float32)
    if not (np.isfinite(across).all() and np.isfinite(offsets).all()):
        raise ModelError("The squared norms of the centroids are beyond float32, the graph's type. Scale X down.")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["X", "centroids"], ["products"]),
            helper.make_node("Sub", ["products", "half"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0, select_last_index=0),
        ],
        type(estimator).__name__,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, estimator.n_features_in_])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None])],
        [numpy_helper.from_array(across, "centroids"), numpy_helper.from_array(offsets, "half")],
    )
    model = helper.make_model(
        graph, producer_name="steinhaus", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    write(Path(path), model.SerializeToString())


def score_bound(estimator: Any, norms: Float64) -> Float64:
    """The largest error of a score of the graph, for rows with these norms, (n,) -> (n,) float64.

    The product and the rounding of e_j add `|x| |e_j| (gamma_d + u)`. The difference and the rounding of h_j add
    `u (|x| |e_j| + 2 |h_j|)`. Here `u = 2^-24` and `gamma_d = d u / (1 - d u)` (N. J. Higham, Accuracy and Stability of
    Numerical Algorithms, 2nd ed. 2002, section 3.1). The bound takes the largest `|e_j|` and `|h_j|`, and is doubled
    for products of roundings.

    Parameters
    ----------
    estimator
        A fitted estimator.
    norms
        (n,) float64, the Euclidean norms of the rows.
    """
    rows, half = _frame(estimator)
    d = rows.shape[1]
    gamma = d * _UNIT / (1.0 - d * _UNIT)
    longest, highest = float(np.linalg.norm(rows, axis=1).max()), float(np.abs(half).max())
    bound: Float64 = 2.0 * (norms * longest * (gamma + 2.0 * _UNIT) + 2.0 * _UNIT * highest)
    return bound


def _frame(estimator: Any) -> tuple[Float64, Float64]:
    """The rows e, (k, d) float64, and h, (k,) float64, of the graph."""
    centroids = np.asarray(estimator.cluster_centers_, np.float64)
    mean = centroids.mean(axis=0)
    rows = centroids - mean
    return rows, rows @ mean + np.square(rows).sum(axis=1) / 2.0
