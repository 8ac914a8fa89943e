"""`steinhaus study --explain`: explain how a study would compute its clusters, without running it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from steinhaus.cli.places import Place
from steinhaus.cli.progress import watching
from steinhaus.cli.sources import open_source
from steinhaus.cli.words import counted, paragraph

if TYPE_CHECKING:
    from steinhaus.study import Study


def explained(
    study: Study, source: str | None, reading: Mapping[str, Any], place: Place, *, quiet: bool, as_json: bool
) -> str:
    """Open the images and the engine, and return the engine's explanation: paragraphs, or one line of JSON per K."""
    from steinhaus.study.explaining import explain

    with watching(quiet, as_json) as watch:
        images = open_source(source, place.reading(source, dict(reading)), watch)
        with place.opened(watch.say) as choose:
            found = explain(study, images, choose)
    if as_json:
        lines = [{"event": "explained", "k": k, "runs": study.restarts, "text": text} for k, text in found.items()]
        return "\n".join(map(json.dumps, lines))
    alike: dict[str, list[str]] = {}
    for k, text in found.items():
        alike.setdefault(text, []).append(str(k))
    runs = f"{counted(study.restarts, 'run')} each"
    parts = [f"K = {', '.join(ks)}, {runs}:\n{paragraph(text, sys.stdout, indent=2)}" for text, ks in alike.items()]
    note = "Nothing was run."
    if len(found) > 1:
        note += " Each K is explained as if it ran alone. A study runs all of them together, in the same memory."
    return "\n".join([*parts, paragraph(note, sys.stdout)])
