"""The command that runs the same study again."""

from __future__ import annotations

import shlex
from typing import Any

from steinhaus.report import words
from steinhaus.report.data import ReportData

KNOWN = ("mnist", "digits")  # sets that are opened by their name


def command(data: ReportData) -> str:
    """The command that runs the same study; of one that was run from Python, the call."""
    if data.record.command is not None:
        return words.spelt(data.record.command)
    plan, name = data.record.plan, words.clean(data.record.data.name)
    features = _features_asked(data)
    given = str(plan["init"]).startswith("given")
    known, an_array = name in KNOWN, features.get("features") == "array"
    names = ("restarts", "max_iter", "init", "tol", "train", "val", "scale", "refine", "refine_steps", "seed")
    keys = [key for key in names if key in plan]
    if known and not given and not an_array:
        asked = {**{key: plan[key] for key in keys}, **features}
        flags = [(f"--{key.replace('_', '-')}", value) for key, value in asked.items()]
        options = [flag if value is True else f"{flag} {shlex.quote(str(value))}" for flag, value in flags]
        return " ".join(["steinhaus study", name, "--k " + ",".join(map(str, plan["k"])), *options])
    others = ", ".join(f"{key}={plan[key]!r}" for key in keys if not (given and key == "init"))
    starts = "init={K: the same arrays}, " if given else ""
    if features:
        what, *steps = (f"{key}={value!r}" for key, value in features.items())
        what = "the same array" if an_array else what.partition("=")[2]
        others += f", features=Features({', '.join([what, *steps])})" if steps or an_array else f", features={what}"
    call = f"Study(k={tuple(plan['k'])!r}, {starts}{others})"
    return f"{call}.run({name!r})" if known else f"{call}.run(images)  # those of {name!r}, by the SHA-256 below"


def _features_asked(data: ReportData) -> dict[str, Any]:
    """The options by which the features of a study are asked for again; none where pixels are clustered."""
    features = data.record.data.features
    if features is None:
        return {}
    steps = features.steps[1:] if features.kind == "pixels" and features.asked.startswith("pca:") else features.steps
    asked: dict[str, Any] = {"features": words.clean(features.asked)}
    asked |= {step: True for step in steps if ":" not in step}
    asked |= {kind: int(number) for kind, colon, number in (step.partition(":") for step in steps) if colon}
    if features.kind == "model":
        asked |= {f"model_{name}": words.clean(str(features.options[name])) for name in ("input", "output")}
    return asked
