"""Who computes: processes on this machine, or the workers of a Dask scheduler on several.

A process that dies takes nothing with it but the point it was at. That point is tried again twice, at last alone, so
that a point which kills its worker is told from those that were beside it.
"""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError
from rebalancer.core.extras import install_hint
from rebalancer.research.sweep.compute import OtherInputs, compute_point, end_with_parent
from rebalancer.research.sweep.points import PointResult, SweepPoint

Compute = Callable[[Path, SweepPoint], PointResult]
ROUNDS: Final = 3
DIED: Final = "the process that computed it died: too little memory?"


def computed_here(
    folder: Path, points: Sequence[SweepPoint], workers: int, compute: Compute = compute_point
) -> Iterator[tuple[SweepPoint, PointResult | str]]:
    """Compute points in so many processes, as they are done. What could not be computed comes with its reason."""
    if workers == 1 and compute is compute_point:
        for point in points:
            try:
                what: PointResult | str = compute(folder, point)
            except OtherInputs as error:
                what = str(error)
            yield point, what
        return
    left = list(points)
    for number in range(ROUNDS):
        again: list[SweepPoint] = []
        batches = [[point] for point in left] if number == ROUNDS - 1 else [left]
        for batch in batches:
            for point, found in _round(folder, batch, min(workers, len(batch)), compute):
                if found is None:
                    again.append(point)
                else:
                    yield point, found
        left = again
        if not left:
            return
    for point in left:
        yield point, DIED


def _round(folder: Path, points: Sequence[SweepPoint], workers: int, compute: Compute) -> Iterator[
    tuple[SweepPoint, PointResult | str | None]
]:  # fmt: skip
    """Every point with its result, its problem, or None where the pool broke."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent)
    try:
        yield from _results(executor, folder, points, compute)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _results(executor: Executor, folder: Path, points: Sequence[SweepPoint], compute: Compute) -> Iterator[
    tuple[SweepPoint, PointResult | str | None]
]:  # fmt: skip
    waiting: dict[Future[PointResult], SweepPoint] = {}
    broken: list[SweepPoint] = []
    for point in points:
        try:
            waiting[executor.submit(compute, folder, point)] = point
        except BrokenProcessPool:
            broken.append(point)
    for future in as_completed(waiting):
        point = waiting[future]
        try:
            yield point, future.result()
        except BrokenProcessPool:
            yield point, None
        except OtherInputs as error:
            yield point, str(error)
        except Exception as error:  # noqa: BLE001 - a worker's error is the result of its point
            yield point, f"{type(error).__name__}: {error}"
    for point in broken:
        yield point, None


def computed_by_dask(
    folder: Path, points: Sequence[SweepPoint], scheduler: str, compute: Compute = compute_point
) -> Iterator[tuple[SweepPoint, PointResult | str]]:
    """Compute points on the workers of a Dask scheduler, as they are done. The folder and the data must be at the same
    paths on all machines. Raises BadDocument without the extra `sweep`, ExternalError without a scheduler."""
    with _client(scheduler) as client, client.get_executor(retries=2, pure=False) as executor:
        for point, found in _results(executor, folder.absolute(), points, compute):
            yield point, DIED if found is None else found


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise BadDocument("--scheduler", "Dask is not installed", install_hint("sweep")) from None
    client = None
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        hint = "start one: dask scheduler; and workers: dask worker ADDRESS --nthreads 1"
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExternalError(f"{scheduler}: no Dask scheduler answers: {problem}\n  hint: {hint}") from None
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close()
