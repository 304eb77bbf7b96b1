"""The routes that read: status, positions, orders, cycles, reasons, reports, signals, events."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from fastapi import Path as InPath
from starlette.responses import Response

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content
from rebalancer.core.values import symbol_of
from rebalancer.web import facts
from rebalancer.web.context import Context, Reader
from rebalancer.web.events import STREAMS_MAX, EventStream, position_of
from rebalancer.web.problems import HttpProblem, documented

router: Final = APIRouter()
Limit = Annotated[int, Query(ge=1, le=1000)]
_REPORT: Final = re.compile(r"(?:[0-9]{4}/)?[A-Za-z0-9][A-Za-z0-9_.:+-]{0,120}\.(?:html|json)", re.ASCII)
_REPORT_BYTES: Final = 32 * 1024 * 1024
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups; frame-ancestors 'none'"
)


@router.get("/api/v1/trading/status", responses=documented())
def trading_status(context: Context, _: Reader) -> dict[str, Any]:
    """The account as the journal saw it last."""
    return facts.trading_status(context.place)


@router.get("/api/v1/positions", responses=documented())
def positions(context: Context, _: Reader) -> dict[str, Any]:
    """The positions after the last cycle."""
    return facts.positions(context.place)


@router.get("/api/v1/orders", responses=documented(422))
def orders(context: Context, _: Reader, limit: Limit = 50) -> dict[str, Any]:
    """The newest orders, newest first."""
    return facts.orders(context.place, limit)


@router.get("/api/v1/cycles", responses=documented(422))
def cycles(context: Context, _: Reader, limit: Limit = 50) -> dict[str, Any]:
    """The newest cycles, newest first."""
    return facts.cycles(context.place, limit)


@router.get("/api/v1/cycles/{cycle_id}", responses=documented(404, 422))
def cycle(context: Context, _: Reader, cycle_id: Annotated[str, InPath(max_length=120)]) -> dict[str, Any]:
    """One cycle with its orders and verdicts."""
    found = facts.cycle_detail(context.place, cycle_id)
    if found is None:
        raise HttpProblem(404, "there is no such cycle")
    return found


@router.get("/api/v1/explain/{symbol:path}", responses=documented(404, 422))
def explain(
    context: Context,
    _: Reader,
    symbol: Annotated[str, InPath(max_length=40)],
    cycle: Annotated[str | None, Query(max_length=120)] = None,
) -> dict[str, Any]:
    """The reasons for one symbol: signals, target, orders, verdicts. cycle: the newest planned one by default."""
    try:
        name = symbol_of(symbol)
    except ValueError as error:
        raise HttpProblem(422, str(error)) from None
    found = facts.explanation(context.place, name, cycle)
    if found is None:
        raise HttpProblem(404, "there is no such planned cycle")
    return found


@router.get("/api/v1/reports", responses=documented())
def reports(context: Context, _: Reader) -> dict[str, Any]:
    """The report pages, newest name first."""
    folder = context.place.reports
    names = [str(path.relative_to(folder)) for path in folder.glob("**/*.html") if not path.is_symlink()]
    return {"reports": sorted((name for name in names if _REPORT.fullmatch(name)), reverse=True)}


@router.get("/api/v1/reports/{name:path}", responses=documented(404, 422), response_class=Response)
def report(context: Context, _: Reader, name: Annotated[str, InPath(max_length=130)]) -> Response:
    """One report: a page, or its JSON."""
    path = context.place.reports / name
    if _REPORT.fullmatch(name) is None or not path.is_file() or _leaves(path, context.place.reports):
        raise HttpProblem(404, "there is no such report")
    try:
        body = read_content(path, _REPORT_BYTES).body
    except BadDocument as error:
        raise HttpProblem(404, f"the report cannot be read: {error.problem}") from None
    if name.endswith(".json"):
        return Response(body, media_type="application/json")
    return Response(body, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _PAGE_POLICY})


@router.get("/api/v1/signals/{name}", responses=documented(404, 422))
def signal(context: Context, _: Reader, name: Annotated[str, InPath(max_length=128)]) -> dict[str, Any]:
    """What became of one signal, by its receipt or its own id."""
    found = facts.signal_fate(context.place, name)
    if found is None:
        raise HttpProblem(404, "there is no receipt or signal with this id")
    return found


@router.get("/api/signals/latest", responses=documented(422))
def latest_signals(context: Context, _: Reader, limit: Limit = 50) -> dict[str, Any]:
    """The newest signals, newest first, each with its outcome."""
    return facts.latest_signals(context.place, limit)


@router.get("/api/signals/stats", responses=documented())
def signal_figures(context: Context, _: Reader) -> dict[str, Any]:
    """How many signals came, and what became of them."""
    return facts.signal_figures(context.place)


@router.get("/api/v1/sources", responses=documented())
def sources(context: Context, _: Reader) -> dict[str, Any]:
    """The sources that are asked in the background: on, off and why, coverage, calls and money of today."""
    return facts.source_health(context.place)


@router.get(
    "/api/v1/events",
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **documented(422)},
    response_class=Response,
)
async def events(
    context: Context, _: Reader, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> Response:
    """The journal's rows as server-sent events; an event's id is its row number. Last-Event-ID resumes after that row,
    0 replays everything; without it the stream starts at the head."""
    if context.hub.streams >= STREAMS_MAX or context.hub.stopping.is_set():
        raise HttpProblem(503, "too many streams are open", {"Retry-After": "5"})
    head = await context.hub.look()
    return EventStream(context.hub, position_of(last_event_id, head.seq))


def _leaves(path: Path, folder: Path) -> bool:
    return not path.resolve().is_relative_to(folder.resolve())
