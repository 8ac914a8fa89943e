"""A study that is kept only in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from steinhaus.features.chain import Chain
from steinhaus.points import Fit, Run
from steinhaus.study.assignments import Assignments
from steinhaus.study.events import Key
from steinhaus.study.pictures import ClusterPictures
from steinhaus.study.record import StudyRecord

if TYPE_CHECKING:
    from steinhaus.images import Split


class Memory:
    """A study in memory. See `store.Store` for its methods."""

    def __init__(self, record: StudyRecord, chain: Chain | None = None) -> None:
        self.record = record
        self._chain = chain
        self._pictures: dict[int, ClusterPictures] = {}
        self._fits: dict[Key, Fit] = {}
        self._refined: dict[Key, Fit] = {}
        self._assignments = Assignments({}, None)
        self._events: list[dict[str, Any]] = []

    def fits(self) -> dict[Key, Fit]:  # noqa: D102
        return dict(self._fits)

    def fit(self, key: Key) -> Fit:  # noqa: D102
        return self._fits[key]

    def checkpoint(self) -> dict[Key, Run]:  # noqa: D102
        return {}

    def assignments(self) -> Assignments:  # noqa: D102
        return self._assignments

    def events(self) -> list[dict[str, Any]]:  # noqa: D102
        return list(self._events)

    def save_fit(self, key: Key, fit: Fit) -> None:  # noqa: D102
        self._fits[key] = fit

    def refined(self, key: Key) -> Fit | None:  # noqa: D102
        return self._refined.get(key)

    def save_refined(self, key: Key, fit: Fit) -> None:  # noqa: D102
        self._refined[key] = fit

    def save_checkpoint(self, active: Sequence[Run]) -> None:
        """Do nothing: memory ends with its process."""

    def finish(self, record: StudyRecord, assignments: Assignments, split: Split) -> None:  # noqa: D102
        self.record, self._assignments = record, assignments

    def chain(self) -> Chain | None:  # noqa: D102
        return self._chain

    def save_pictures(self, pictures: Mapping[int, ClusterPictures]) -> None:  # noqa: D102
        self._pictures = dict(pictures)

    def pictures(self, k: int) -> ClusterPictures:  # noqa: D102
        return self._pictures[k]

    def append(self, line: Mapping[str, Any]) -> None:  # noqa: D102
        self._events.append(dict(line))
