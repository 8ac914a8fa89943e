"""Small ONNX networks for pictures, made by the tests, and broken ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 9


def write(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    constants: Sequence[Any] = (),
    *,
    opsets: Sequence[tuple[str, int]] = (("", OPSET),),
    metadata: dict[str, str] | None = None,
    change: Callable[[Any], None] | None = None,
) -> Path:
    """Write a network of these parts."""
    graph = helper.make_graph(list(nodes), "small", list(inputs), list(outputs), list(constants))
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR)
    if metadata:
        helper.set_model_props(model, metadata)
    if change is not None:
        change(model)
    path.write_bytes(model.SerializeToString())
    return path


def image(shape: Sequence[int | str], kind: int = TensorProto.FLOAT, name: str = "image") -> Any:
    """An input or an output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def filters(seed: int = 0, count: int = 16, channels: int = 3) -> NDArray[np.float32]:
    """(count, channels, 5, 5): colours on a half of a window, of all directions, and their opposites."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5))
    angles = np.arange(count) * (2 * np.pi / count)
    waves = np.sin(2.5 * (np.cos(angles)[:, None, None] * across + np.sin(angles)[:, None, None] * down))
    colours = rng.normal(size=(count, channels, 1, 1))
    return (colours * waves[:, None] + 0.3 * colours).astype(np.float32) / 12


def small(
    path: Path,
    *,
    shape: Sequence[int | str] = ("n", 3, 32, 32),
    outputs: Sequence[str] = ("vectors",),
    metadata: dict[str, str] | None = None,
    change: Callable[[Any], None] | None = None,
) -> Path:
    """Two layers of convolutions, pooled over the picture: 16 values, or a map of them, or tokens."""
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["edges"], pads=[2, 2, 2, 2], strides=[2, 2]),
        helper.make_node("Relu", ["edges"], ["kept"]),
        helper.make_node("Conv", ["kept", "second"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vectors"]),
        helper.make_node("Reshape", ["map", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
    ]
    ranks: dict[str, list[int | str]] = {"vectors": ["n", 16], "map": ["n", 16, "h", "w"], "tokens": ["n", "t", 16]}
    mixed = np.random.default_rng(1).normal(size=(16, 16, 1, 1)).astype(np.float32)
    constants = [
        numpy_helper.from_array(filters(channels=int(shape[1])), "first"),
        numpy_helper.from_array(mixed, "second"),
        numpy_helper.from_array(np.array([0, 16, -1], np.int64), "flat"),
    ]
    found = [image(ranks[name], name=name) for name in outputs]
    return write(path, nodes, [image(shape)], found, constants, metadata=metadata, change=change)


def with_external_data(path: Path, place: str) -> Path:
    """The small network, whose first weights are said to lie in another file."""

    def elsewhere(model: Any) -> None:
        tensor = model.graph.initializer[0]
        data = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", place), ("offset", "0"), ("length", str(len(data)))):
            tensor.external_data.add(key=key, value=value)
        if "/" not in place and "\\" not in place:
            (path.parent / place).write_bytes(data)

    return small(path, change=elsewhere)


__all__ = ["OPSET", "TensorProto", "helper", "image", "onnx", "small", "with_external_data", "write"]
