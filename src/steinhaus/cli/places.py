"""Where a study computes: in this process, within a memory limit, or on a Dask cluster."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from steinhaus.cli.arguments import Size
from steinhaus.cli.quiet import uninterrupted, unlogged
from steinhaus.errors import DataError
from steinhaus.points import Points, TimedReading

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

    from steinhaus.engines.cluster.points import DaskPoints

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Place:
    """Where a study computes, with the engines that it used."""

    memory: int | None = None  # memory limit in bytes
    workers: int | None = None  # number of workers of a cluster on this machine
    scheduler: str | None = None  # address of an existing cluster
    debug: bool = False  # whether to show the log of Dask
    points: list[Points] = field(default_factory=list)  # the engines used

    @property
    def is_chosen(self) -> bool:
        """Whether the user chose a place. If so, pixels stay on disk."""
        return self.memory is not None or self.is_cluster

    @property
    def is_cluster(self) -> bool:
        """Whether the place is a cluster."""
        return self.workers is not None or self.scheduler is not None

    def reading(self, source: str | None, options: dict[str, Any]) -> dict[str, Any]:
        """The options for reading a source. If a place was chosen, pixels stay on disk, if they can."""
        from steinhaus.images.opening import can_stay

        stays = self.is_chosen and source is not None and can_stay(source)
        return {**options, "stored": True} if stays else options

    @contextmanager
    def opened(self, say: Callable[[str], None]) -> Iterator[Callable[..., Any]]:
        """The function that makes the engine for some rows, for `run_study`. The cluster lives in this context."""
        if not self.is_cluster:
            yield self._here
            return
        with self._client() as client:
            threads = sum(client.nthreads().values())
            say(f"{len(client.nthreads())} workers with {threads} threads at {client.scheduler.address}.")

            def there(rows: Any, *, threads: int | None = None, weights: Any = None) -> Any:
                from steinhaus.engines import spread

                return self._noted(spread(rows, client, weights=weights))

            yield there

    def text(self) -> str:
        """Lines about the speed of reading and of the workers."""
        lines = []
        for points in self.points:
            if isinstance(points, TimedReading):
                lines.append(points.reading.text())
            if self.is_cluster:
                lines += self._workers_text(points)
        return "\n".join(lines)

    def _workers_text(self, points: Points) -> list[str]:
        lines = []
        for worker, speed in sorted(cast("DaskPoints", points).speeds.items()):
            rate = speed.points / speed.seconds if speed.seconds else 0.0
            done = f"{speed.points:,} points assigned in {speed.seconds:.1f} s"
            lines.append(f"{worker}: {done}, {rate:,.0f} per second")
        return lines

    def _here(self, rows: Any, *, threads: int | None = None, weights: Any = None) -> Any:
        from steinhaus import engines

        if weights is not None:
            return self._noted(engines.weighted(rows, weights, threads=threads, memory=self.memory))
        return self._noted(engines.choose(rows, threads=threads, memory=self.memory))

    def _noted(self, points: Points) -> Points:
        self.points.append(points)
        return points

    @contextmanager
    def _client(self) -> Iterator[Client]:
        try:
            from distributed import Client
        except ImportError:
            raise DataError("Clusters need the package distributed: pip install 'steinhaus[dask]'.") from None
        with nullcontext() if self.debug else unlogged():
            if self.scheduler is None:
                with self._cluster() as cluster, Client(cluster) as client:
                    yield client
                return
            try:
                client = Client(self.scheduler, timeout=10)
            except (OSError, ValueError) as error:
                raise DataError(f"There is no Dask scheduler at {self.scheduler}: {error}.") from None
            with client:
                yield client

    @contextmanager
    def _cluster(self) -> Iterator[LocalCluster]:
        """Workers on this machine. They end with this process; a Ctrl-C reaches only this process."""
        import dask
        from distributed import LocalCluster
        from distributed.utils import LoopRunner

        from steinhaus.resources import available_cores

        patient = {"distributed.scheduler.allowed-failures": 20}
        threads = max(1, available_cores() // cast(int, self.workers))
        runner = LoopRunner()
        with uninterrupted():
            runner.start()  # this thread starts the workers, also when one has to be replaced
        try:
            with (
                dask.config.set(patient),
                LocalCluster(
                    n_workers=self.workers,
                    threads_per_worker=threads,
                    host="127.0.0.1",
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                    loop=runner.loop,
                    silence_logs=logging.WARNING if self.debug else logging.CRITICAL,  # in the workers, too
                ) as cluster,
            ):
                yield cluster
        finally:
            runner.stop()


def place_options(command: Command) -> Command:
    """Add the options for the place of the work. The command gets a `Place`."""

    @functools.wraps(command)
    def with_place(**options: Any) -> Any:
        debug = click.get_current_context().obj["debug"]
        place = Place(options.pop("memory"), options.pop("workers"), options.pop("scheduler"), debug)
        if place.workers is not None and place.scheduler is not None:
            raise click.UsageError("--workers starts a cluster and --scheduler names one. Give only one of them.")
        return command(place=place, **options)

    for option in (
        click.option("--scheduler", metavar="ADDRESS", help="Use the Dask cluster of this scheduler: tcp://..."),
        click.option("--workers", metavar="N", type=click.IntRange(1), help="Use N Dask workers on this machine."),
        click.option(
            "--memory", metavar="SIZE", type=Size(), help="Use at most this much memory; pixels stay on disk."
        ),
    ):
        with_place = option(with_place)
    return cast(Command, with_place)
