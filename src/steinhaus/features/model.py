"""Check an ONNX file before it runs: its input, its output, and whether it is allowed to run.

A network is a program written by a stranger. It may use only standard operators, and read only its own weights, which
must lie in its own folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from steinhaus.errors import DataError
from steinhaus.features.model_input import KEY, ModelInput, parsed
from steinhaus.images.files import open_regular, reading, shown
from steinhaus.wording import option

STANDARD = ("", "ai.onnx", "ai.onnx.ml")
NEEDED = "Networks need the packages onnx and onnxruntime: pip install 'steinhaus[models]'."
LARGEST = 1 << 31  # bytes per file, protobuf's limit; larger weights are external data


@dataclass(frozen=True)
class Output:
    """The output of a network that holds the vectors."""

    name: str
    token: str | None = None  # the number of a token of (n, tokens, d), or "mean"; None: the output is (n, d)

    @property
    def text(self) -> str:
        """The output as the user writes it."""
        return self.name if self.token is None else f"{self.name}[{self.token}]"


@dataclass(frozen=True)
class Model:
    """A network that passed all checks.

    Attributes
    ----------
    path
        Its file.
    sha256
        The digest of the file and of its external data.
    content
        The file's bytes; None if its weights lie beside it, so that it has to be loaded from its path.
    input_name, dtype
        The name and the type of its only input.
    channels_last
        Whether the input is (n, h, w, c).
    channels
        1 or 3.
    batch
        The number of pictures that it takes at once; None: any number.
    fixed
        The only size, (height, width), that it takes; None: any.
    input
        The size and scale that its metadata give.
    """

    path: Path
    sha256: str
    content: bytes | None
    input_name: str
    dtype: str
    channels_last: bool
    channels: int
    batch: int | None
    fixed: tuple[int, int] | None
    input: ModelInput
    output: Output


def opened(path: Path, output: str | None) -> Model:
    """Check a network's file.

    Parameters
    ----------
    path
        The file.
    output
        The output that the user asks for, "name", "name[3]" or "name[mean]"; None: the only one that is a vector.

    Raises
    ------
    DataError
        If the file is not valid ONNX, asks for something forbidden, does not take pictures, or does not give vectors.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise DataError(NEEDED) from None
    with reading(path), open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise DataError(
                f"{shown(path)} is larger than an ONNX file can be. Export it with its weights in files beside it."
            )
        content = file.read()
    try:
        proto = onnx.load_model_from_string(content)
        known = proto.HasField("graph") and len(proto.graph.node) > 0
    except (DecodeError, ValueError, TypeError):
        known = False
    if not known:
        raise DataError(f"{shown(path)} is not an ONNX network, or is damaged. Export it again.")
    _check_operators(proto, path)
    beside = _external(proto, path)
    try:
        onnx.checker.check_model(str(path) if beside else proto)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise DataError(f"{shown(path)} is not a valid ONNX network: {reason}. Export it again.") from None
    name, dtype, last, channels, batch, size = _input(proto, path)
    said = {each.key: each.value for each in proto.metadata_props}
    told = parsed(said[KEY]) if KEY in said else ModelInput()
    return Model(
        path=path,
        sha256=_digest(content, beside),
        content=None if beside else content,
        input_name=name,
        dtype=dtype,
        channels_last=last,
        channels=channels,
        batch=batch,
        fixed=size,
        input=ModelInput(size).over(told),
        output=_output(proto, path, output),
    )


def _graphs(proto: Any) -> Iterator[Any]:
    """Yield the graph, the bodies of functions, and the graphs in nodes."""
    pending = [proto.graph, *proto.functions]
    while pending:
        graph = pending.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                pending += [attribute.g] if attribute.HasField("g") else []
                pending += attribute.graphs


def _check_operators(proto: Any, path: Path) -> None:
    own = {(function.domain, function.name) for function in proto.functions}
    for graph in _graphs(proto):
        for node in graph.node:
            if node.domain not in STANDARD and (node.domain, node.op_type) not in own:
                raise DataError(
                    f"{shown(path)} uses the operator {node.op_type} of {node.domain!r}, which is not part of ONNX. "
                    "Custom operators are foreign code and are not loaded. Export it with standard operators."
                )


def _tensors(proto: Any) -> Iterator[Any]:
    for graph in _graphs(proto):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from [attribute.t] if attribute.HasField("t") else []
                yield from attribute.tensors


def _external(proto: Any, path: Path) -> list[Path]:
    """The files beside a network that hold its weights. Files elsewhere are refused."""
    from onnx import TensorProto

    found: set[Path] = set()
    home = Path(os.path.realpath(path.parent))
    for tensor in _tensors(proto):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        inner = PurePosixPath(place)
        target = Path(os.path.realpath(path.parent / place))
        outside = not place or inner.is_absolute() or ".." in inner.parts or "\\" in place
        if outside or home not in target.parents:
            raise DataError(
                f"{shown(path)} asks for weights in {shown(place)!r}, which is outside of its own folder. Such files "
                "are not read. Export the network again with its weights beside it."
            )
        found.add(target)
    return sorted(found)


def _digest(content: bytes, beside: list[Path]) -> str:
    sha = hashlib.sha256(content)
    for each in beside:
        with reading(each), open_regular(each) as file:
            while block := file.read(1 << 24):
                sha.update(block)
    return sha.hexdigest()


def _sides(value: Any) -> list[int | None]:
    """The sides of a tensor; None for a side of any length."""
    return [side.dim_value if side.HasField("dim_value") else None for side in value.type.tensor_type.shape.dim]


def _input(proto: Any, path: Path) -> tuple[str, str, bool, int, int | None, tuple[int, int] | None]:
    """The only input: name, type, whether channels come last, channels, batch, and the size if it is fixed."""
    from onnx import TensorProto

    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [each for each in proto.graph.input if each.name not in constants]
    names = ", ".join(each.name for each in inputs)
    if len(inputs) != 1:
        raise DataError(
            f"{shown(path)} has {len(inputs)} inputs, {names or 'none'}, but a network for pictures has one. If the "
            "model takes pictures and texts, export only the part for pictures."
        )
    kind = inputs[0].type.tensor_type.elem_type
    types = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}
    sides = _sides(inputs[0])
    shape = " x ".join("any" if side is None else str(side) for side in sides) or "none"
    if kind not in types or len(sides) != 4:
        raise DataError(
            f"{shown(path)}: its input {inputs[0].name} has the shape {shape} and the type "
            f"{TensorProto.DataType.Name(kind)}, but pictures are float32 or float16, (batch, channels, height, width)."
        )
    batch, one, two, three = sides
    last = one not in (1, 3) and three in (1, 3)
    channels = three if last else one
    if channels is None:
        channels = 3
    if channels not in (1, 3):
        raise DataError(
            f"{shown(path)}: its input {inputs[0].name} has the shape {shape}, but pictures have 1 or 3 channels, as "
            "(batch, channels, height, width) or (batch, height, width, channels)."
        )
    height, width = (one, two) if last else (two, three)
    size = None if not height or not width else (height, width)
    return inputs[0].name, types[kind], last, channels, batch or None, size


def _output(proto: Any, path: Path, asked: str | None) -> Output:
    """The output that holds the vectors."""
    ranks = {
        each.name: len(_sides(each)) if each.type.tensor_type.HasField("shape") else None for each in proto.graph.output
    }
    listed = ", ".join(f"{name} ({'any' if rank is None else rank} axes)" for name, rank in ranks.items())
    if asked is not None:
        name, _, token = asked.partition("[")
        token = token.removesuffix("]")
        if name not in ranks or not (token in ("", "mean") or token.isdigit()):
            raise DataError(
                f"{shown(path)} has no output {asked!r}; it has {listed}. If an output holds tokens, NAME[0] is the "
                "first token and NAME[mean] is their mean."
            )
        output = Output(name, token or None)
    else:
        vectors = [name for name, rank in ranks.items() if rank == 2]
        chosen = vectors if len(ranks) > 1 else list(ranks)
        if len(chosen) != 1:
            raise DataError(
                f"{shown(path)} has several outputs, {listed}, and it is not clear which holds the vectors. Name it: "
                f"{option('model_output', repr(next(iter(ranks), '')))}."
            )
        output = Output(chosen[0])
    check_rank(path, output, ranks[output.name])
    return output


def check_rank(path: Path, output: Output, rank: int | None) -> None:
    """Refuse an output that does not hold one vector per picture."""
    wanted = (2, 4) if output.token is None else (3,)
    if rank is None or rank in wanted:
        return
    way = f"name one of them, {option('model_output', repr(output.name + '[0]'))}, or their mean, [mean]"
    hint = f"If these are tokens, {way}." if rank == 3 else "Export the network up to its vectors."
    raise DataError(
        f"{shown(path)}: its output {output.text} has {rank} axes, so it is not one vector per picture (batch, "
        f"values). {hint}"
    )
