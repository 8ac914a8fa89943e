"""The view of one K on the page: cards, runs, curves, confusion, map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from steinhaus.report import charts, measures, pictures, words
from steinhaus.report.data import Float64, Int64, ReportData
from steinhaus.study.record import BestRecord, RunRecord

MIXED = 0.5  # a cluster with a smaller purity is marked as mixed
MOST_MEANS = 8  # most columns of a table on a card
MOST_LABELS = 60  # most columns of a table of labels
WALL = 30  # more clusters than this are shown as a dense wall
LARGEST_MEAN = 96  # pixels of a mean image's longer side
LARGEST_WALL_MEAN = 48
LARGEST_NEAR = 56
STOPS = {"CONVERGED": "converged", "TOLERANCE": "tolerance reached", "MAX_ITER": "iteration limit"}


@dataclass(frozen=True)
class Card:
    """The view of one cluster on the page."""

    index: int
    picture: Markup | str  # a data URI for an image, an SVG for a vector
    near: list[str]  # the next nearest pictures, if the picture is the medoid
    shows: str  # the kind of picture, "mean" or "medoid"
    labelled: bool  # whether the study has labels
    label: str | None  # None without labels, or for an empty cluster
    order: int  # position of its label among the labels, for sorting
    size: int
    purity: float | None
    tops: list[tuple[str, float]]  # the most frequent labels and their shares
    state: str  # "", "mixed", "tie" or "empty"
    means: list[
        tuple[str, str, float]
    ]  # for a table: column, mean, and the place of the mean between those of other clusters

    @property
    def uri(self) -> str:
        """The data URI of its mean image; "" for a profile."""
        return "" if isinstance(self.picture, Markup) else self.picture

    @property
    def name(self) -> str:
        """Its label, or "" for an empty cluster; without labels, its number."""
        return self.label or ("" if self.labelled else str(self.index))

    @property
    def title(self) -> str:
        """Its full name."""
        return f"cluster {self.index}" + ("" if self.label is None else f", named {self.label}")


@dataclass(frozen=True)
class KView:
    """The view of one K on the page."""

    best: BestRecord
    cards: list[Card]
    runs: list[RunRecord]
    seconds: list[float | None]
    linear: Markup
    log: Markup
    confusions: list[tuple[str, list[list[tuple[int, float]]]]]  # part, rows of (count, share of the cluster)
    map: Markup
    map_share: float
    refined: str  # what refining gained, and how long it took; "": not refined

    @property
    def k(self) -> int:
        """The number of clusters."""
        return self.best.k

    @property
    def wall(self) -> bool:
        """Whether there are too many clusters for full cards."""
        return self.k > WALL

    @property
    def by_label(self) -> list[Card]:
        """The cards in the order of their labels, larger ones first."""
        return sorted(self.cards, key=lambda c: (c.order, -c.size))

    @property
    def stops(self) -> list[str]:
        """The end of each run, in words."""
        return [STOPS.get(r.stop, r.stop.lower()) for r in self.runs]

    @property
    def names(self) -> list[str]:
        """The label of each cluster, or "" for an empty one; without labels, its number."""
        return [c.name for c in self.cards]


def view(data: ReportData, best: BestRecord) -> KView:
    """The view of one K."""
    runs = [r for r in data.record.runs if r.k == best.k]
    cards = _cards(data, best)
    tables = [(part, a) for part, a in (("train", best.train), ("test", best.test)) if a is not None]
    plane = measures.plane(data.measured_centroids(best.k), best.sizes)
    discs = [charts.Disc(c.name, c.title, c.size, c.uri if best.k <= WALL else "") for c in cards]
    return KView(
        best=best,
        cards=cards,
        runs=runs,
        seconds=[data.seconds.get((r.k, r.restart)) for r in runs],
        linear=charts.inertia_curves(runs, best, log=False),
        log=charts.inertia_curves(runs, best, log=True),
        confusions=[(part, _shares(np.array(a.confusion), columns(data))) for part, a in tables],
        map=charts.centroid_map(plane, discs),
        map_share=plane.share,
        refined=_refined(data, best.k),
    )


def _refined(data: ReportData, k: int) -> str:
    found = next((refined for refined in data.record.refined if refined.k == k), None)
    if found is None:
        return ""
    seconds = data.refining_seconds.get(k)
    lower = f"{words.gain(found.gain)} lower" if found.gain > 0 else "not lower"
    return lower + (f", {words.duration(seconds)}" if seconds is not None else "")


def columns(data: ReportData) -> list[int]:
    """The labels that tables show: all or, if there are very many, the most frequent ones."""
    counts = data.record.data.train_label_counts or ()
    if len(counts) <= MOST_LABELS:
        return list(range(len(counts)))
    return sorted(np.argsort(-np.array(counts), kind="stable")[:MOST_LABELS].tolist())


def _shares(table: Int64, shown: list[int]) -> list[list[tuple[int, float]]]:
    """Counts and shares for these labels and, if these are not all, for the others together. table: (k, labels)."""
    totals = table.sum(axis=1)
    counts = table[:, shown]
    if len(shown) < table.shape[1]:
        counts = np.column_stack([counts, totals - counts.sum(axis=1)])
    return [[(n, n / max(total, 1)) for n in row] for row, total in zip(counts.tolist(), totals.tolist(), strict=True)]


def _cards(data: ReportData, best: BestRecord) -> list[Card]:
    shown = _medoids(data, best.k) if data.shows_medoids else [[each] for each in _mean_pictures(data, best.k)]
    means = _means(data, best.k)
    names = [words.clean(n) for n in data.record.data.label_names or ()]
    cards = []
    for j, size in enumerate(best.sizes):
        label = None if best.mapping is None else best.mapping[j]
        counts = np.array(best.train.confusion[j]) if best.train is not None else np.zeros(0, np.int64)
        tops = [int(i) for i in np.argsort(-counts, kind="stable")[:3] if counts[i] > 0]
        purity = float(counts.max() / size) if len(counts) and size else None
        cards.append(
            Card(
                index=j,
                picture=shown[j][0],
                near=shown[j][1:],
                shows="medoid" if data.medoids and len(data.medoids[best.k][j]) else "mean",
                labelled=best.mapping is not None,
                label=None if label is None else names[label],
                order=len(names) if label is None else label,
                size=size,
                purity=purity,
                tops=[(names[i], float(counts[i] / size)) for i in tops],
                state=_state(size, purity, j in best.ties),
                means=means[j],
            )
        )
    return cards


def _state(size: int, purity: float | None, tied: bool) -> str:
    if size == 0:
        return "empty"
    if tied:
        return "tie"
    return "mixed" if purity is not None and purity < MIXED else ""


def _between(centroids: Float64) -> Float64:
    """Means of columns (k, d), scaled to 0..1 between the smallest and the largest mean of any cluster."""
    low = centroids.min(axis=0)
    span = centroids.max(axis=0) - low
    found: Float64 = np.where(span > 0, (centroids - low) / np.where(span > 0, span, 1.0), 0.5)
    return found


def _means(data: ReportData, k: int) -> list[list[tuple[str, str, float]]]:
    """For a table: the columns in which each cluster differs most from the middle of all, in the table's order."""
    if data.columns is None:
        return [[] for _ in range(k)]
    names, between = [words.clean(name) for name in data.columns], _between(data.centroids[k])
    found = []
    for centroid, places in zip(data.centroids[k], between, strict=True):
        most = np.sort(np.argsort(-np.abs(places - 0.5), kind="stable")[:MOST_MEANS])
        found.append([(names[i], f"{centroid[i]:,.4g}", float(places[i])) for i in most.tolist()])
    return found


def _medoids(data: ReportData, k: int) -> list[list[Any]]:
    """For each cluster, its medoid and, if there is room, the pictures next nearest to the centroid."""
    largest = LARGEST_WALL_MEAN if k > WALL else LARGEST_MEAN
    means, found = _mean_pictures(data, k), []
    for mean, nearest in zip(means, data.medoids[k], strict=True):
        if not len(nearest):  # an empty cluster
            found.append([mean])
            continue
        drawn = pictures.to_bytes(nearest if k <= WALL else nearest[:1], data.record.data.full_scale)
        first = pictures.thumbnails(drawn[:1], largest, lossy=data.is_lossy)
        found.append(first + pictures.thumbnails(drawn[1:], LARGEST_NEAR, lossy=data.is_lossy))
    return found


def _mean_pictures(data: ReportData, k: int) -> list[Markup | str]:
    centroids = data.centroids[k]
    if data.columns is not None:
        return [charts.profile(c, 0.0, 1.0, f"mean of cluster {j}") for j, c in enumerate(_between(centroids))]
    if not data.is_image:
        low, high = float(centroids.min()), float(centroids.max())
        return [charts.profile(c, low, high, f"mean of cluster {j}") for j, c in enumerate(centroids)]
    largest = LARGEST_WALL_MEAN if k > WALL else LARGEST_MEAN
    small = pictures.reduce(pictures.to_bytes(centroids, 1.0), largest)
    return [pictures.data_uri(pictures.png(p), "png") for p in small]
