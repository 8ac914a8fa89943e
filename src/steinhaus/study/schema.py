"""Write and read `study.json`: the record as JSON with a checksum. Reading checks every field.

The fields are those of the dataclasses in `record`; their annotations are the schema.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from steinhaus.canonical import canonical
from steinhaus.errors import PlanError, StoreError
from steinhaus.points import Stop
from steinhaus.study.plan import Plan
from steinhaus.study.record import SCHEMA, BestRecord, DataRecord, RefinedRecord, StudyRecord

MOST_IMAGES = 2**53  # float64 counts exactly up to here
LEAST_SCALE = 1e-60  # smallest full scale; below it, or above its inverse, squares of scaled pixels overflow


class NewerError(StoreError):
    """The study was written by a newer Steinhaus."""


@dataclasses.dataclass(frozen=True)
class Document:
    """The content of `study.json`."""

    record: StudyRecord
    files: dict[str, str] = dataclasses.field(default_factory=dict)  # name -> sha256 of the other files in the folder


def encode(document: Document) -> bytes:
    """The file's bytes, with one line per run, so that you can read, compare and search it by line."""
    content = {**dataclasses.asdict(document.record), "files": document.files}
    for where, names in ((content, ("command",)), (content["data"], ("columns", "scaling", "features", "weight"))):
        for name in names:  # later additions to the schema; left out if they are empty
            if where.get(name, "") is None:
                del where[name]
    if not content["refined"]:
        del content["refined"]
    content["sha256"] = _checksum(content)
    entries = [f"{_text(key)}: {_lines(value)}" for key, value in content.items()]
    return ("{\n " + ",\n ".join(entries) + "\n}\n").encode()


def _lines(value: Any) -> str:
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(_text(item) for item in value) + "\n ]"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(content))).hexdigest()


def decode(data: bytes) -> Document:
    """The document from the file's bytes.

    Raises
    ------
    ValueError
        If the bytes are not JSON, were changed, or contradict themselves.
    NewerError
        If they have a newer schema.
    """
    try:
        content = json.loads(data, parse_constant=_refuse)
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
        _check_schema(content.get("schema"))
        if content.pop("sha256", None) != _checksum(content):
            raise ValueError("its checksum is not that of its content")
        files = _decoder(dict[str, str])(content.pop("files", {}), "files")
        record = _decoder(StudyRecord)(content, "")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _check(record)
    return Document(record, files)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _check_schema(schema: Any) -> None:
    if type(schema) is int and schema > SCHEMA:
        raise NewerError(
            f"The study has schema {schema}, but this version of Steinhaus reads schemas up to {SCHEMA}. Use a newer "
            "Steinhaus."
        )
    if type(schema) is not int or schema < 1:
        raise ValueError(f"its schema is {str(schema)[:40]!r}")


@functools.cache
def _decoder(kind: Any) -> Callable[[Any, str], Any]:
    """A function that turns a JSON value into an annotated type; it gets the place of the value for messages."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):  # X | None is the only kind of union here
        some = _decoder(get_args(kind)[0])
        return lambda value, where: None if value is None else some(value, where)
    if dataclasses.is_dataclass(kind):
        return functools.partial(_decode_record, kind, get_type_hints(kind))
    if origin is tuple:
        item = _decoder(get_args(kind)[0])
        return lambda value, where: tuple(
            [item(each, f"{where}[{i}]") for i, each in enumerate(_expect(list, value, where))]
        )
    if origin is dict:
        item = _decoder(get_args(kind)[1])
        return lambda value, where: {
            key: item(each, f"{where}.{key}") for key, each in _expect(dict, value, where).items()
        }
    if kind is Any:
        return lambda value, where: value
    return functools.partial(_expect, kind)


def _decode_record(kind: Any, hints: dict[str, Any], value: Any, where: str) -> Any:
    content = _expect(dict, value, where)
    found = {}
    for field in dataclasses.fields(kind):
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in content:
            found[field.name] = _decoder(hints[field.name])(content[field.name], place)
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"{place} is missing")
    return kind(**found)


def _expect(kind: type, value: Any, where: str) -> Any:
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{where} is {str(value)[:40]!r}, not of type {kind.__name__}")
    return value


def plan_of(plan: Mapping[str, Any]) -> Plan:
    """The plan. Given starts are replaced by random ones, because only their digest is known."""
    given = str(plan.get("init")).startswith("given:")
    try:
        known = Plan(**{**plan, "init": "random" if given else plan["init"]})
        _demand(plan.keys() == known.plan().keys(), "its plan is not whole")
        return known
    except (PlanError, TypeError, KeyError) as error:
        raise ValueError(f"its plan is not valid ({error})") from error


def _check(record: StudyRecord) -> None:
    """Check what types cannot express: that the parts fit together."""
    plan = plan_of(record.plan)
    done = [(run.k, run.restart) for run in record.runs]
    _demand(done == sorted(set(done)) and set(done) <= set(plan.keys), "its runs are not those of its plan")
    _check_data(record.data)
    for run in record.runs:
        where = f"run K = {run.k}, restart {run.restart}"
        _demand(run.iterations == len(run.inertia) > 0, f"{where} does not have one inertia for each iteration")
        _demand(_are_counts(run.sizes, run.k, record.data.n_train), f"{where} has other sizes")
        _demand(min(*run.inertia, run.final_inertia) >= 0, f"{where} has an inertia below 0")
        _demand(run.stop in Stop.__members__, f"{where} ended for an unknown reason")
    for refined in record.refined:
        _check_refined(refined, record.data)
    refined_ks = tuple(refined.k for refined in record.refined)
    _demand(refined_ks == tuple(sorted(set(refined_ks))) and set(refined_ks) <= set(plan.ks), "it refined another K")
    ks = [best.k for best in record.best]
    _demand(
        ks == sorted(set(ks)) and all((best.k, best.restart) in done for best in record.best), "a best run is missing"
    )
    if record.complete:
        _demand(tuple(done) == plan.keys and tuple(ks) == plan.ks, "it is complete, but not all runs are there")
        _demand(refined_ks == (plan.ks if plan.refine != "none" else ()), "it is complete, but not every K is refined")
    for best in record.best:
        _check_best(best, record.data)


def _check_refined(refined: RefinedRecord, data: DataRecord) -> None:
    where = f"refined K = {refined.k}"
    _demand(_are_counts(refined.sizes, refined.k, data.n_train), f"{where} has other sizes")
    _demand(min((*refined.inertia, refined.final_inertia)) >= 0, f"{where} has an inertia below 0")
    _demand(len(refined.inertia) > 0, f"{where} does not say where it began")
    _demand(refined.stop in Stop.__members__, f"{where} ended for an unknown reason")


def _check_data(data: DataRecord) -> None:
    labels = len(data.label_names or ())
    _demand(1 <= len(data.shape) <= 3 and min(data.shape) >= 1, "its images have no shape")
    _demand(LEAST_SCALE <= data.full_scale <= 1 / LEAST_SCALE, "its full scale is out of range")
    _demand(data.n_train >= 1 and data.n_test >= 0, "it has no images")
    _demand(data.n_train + data.n_test <= MOST_IMAGES, "it has more images than there can be")
    d = math.prod(data.shape)
    _demand(data.columns is None or len(data.columns) == d, "its columns have other names")
    _demand(data.weight is None or data.weight > 0, "its images have no weight")
    if (scaling := data.scaling) is not None:
        _demand(len(scaling.offset) == len(scaling.step) == d, "its scaling is of other columns")
        _demand(min(scaling.step) > 0, "its scaling has no step above 0")
        _demand(scaling.kind in ("standard", "minmax"), "its scaling is of no known kind")
    if (features := data.features) is not None:
        _demand(features.width >= 1 and features.d >= 1 and scaling is None, "its features have no values")
        _demand(features.d == _after(features.steps, features.width), "its features have another width")
        _demand(LEAST_SCALE <= features.unit <= 1 / LEAST_SCALE, "the unit of its features is out of range")
        _demand((features.chain is None) == (not features.steps), "the steps of its features are not kept")
    for counts, n in ((data.train_label_counts, data.n_train), (data.test_label_counts, data.n_test)):
        _demand(counts is None or _are_counts(counts, labels, n), "its labels are not one per image")


def _after(steps: tuple[str, ...], width: int) -> int:
    """The number of values after the steps, for vectors of this width; 0 if a step is unknown."""
    for step in steps:
        name, _, number = step.partition(":")
        if name == "pca" and number.isdigit() and len(number) < 10 and int(number) <= width:
            width = int(number)
        elif step not in ("normalise", "standardise"):
            return 0
    return width


def _check_best(best: BestRecord, data: DataRecord) -> None:
    where, labels = f"the best run of K = {best.k}", len(data.label_names or ())
    _demand(_are_counts(best.sizes, best.k, data.n_train) and best.inertia >= 0, f"{where} has other sizes")
    _demand(best.test_sizes is None or _are_counts(best.test_sizes, best.k, data.n_test), f"{where} has other sizes")
    mapping = best.mapping or ()
    _demand(best.mapping is None or len(mapping) == best.k, f"{where} has another mapping")
    _demand(
        all(label is None or 0 <= label < labels for label in mapping),
        f"{where} is mapped to a label that does not exist",
    )
    _demand(all(0 <= cluster < best.k for cluster in best.ties), f"{where} ties clusters that do not exist")
    _demand(
        all(0 <= (share or 0) <= 1 for share in (best.train_accuracy, best.test_accuracy)),
        f"{where} has an accuracy that is not between 0 and 1",
    )
    for part, n in ((best.train, data.n_train), (best.test, data.n_test)):
        rows = part.confusion if part else ()
        _demand(part is None or len(rows) == best.k, f"{where} has another confusion")
        _demand(part is None or _are_counts(sum(rows, ()), best.k * labels, n), f"{where} has another confusion")
        _demand(all(len(row) == labels for row in rows), f"{where} has another confusion")


def _are_counts(counts: tuple[int, ...], many: int, total: int) -> bool:
    return len(counts) == many and sum(counts) == total and min(counts, default=0) >= 0


def _demand(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
