"""The routes that read: status, positions, orders, cycles, reasons, reports, signals, events."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from fastapi import Path as InPath
from starlette.responses import Response

from rebalancer.core.values import symbol_of
from rebalancer.web import facts
from rebalancer.web.context import Context, Reader
from rebalancer.web.events import STREAMS_MAX, EventStream, position_of
from rebalancer.web.problems import HttpProblem, documented
from rebalancer.web.reports import NAME as REPORT
from rebalancer.web.reports import report_response

router: Final = APIRouter()
Limit = Annotated[int, Query(ge=1, le=1000)]


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
    return {"reports": sorted((name for name in names if REPORT.fullmatch(name)), reverse=True)}


@router.get("/api/v1/reports/{name:path}", responses=documented(404, 422), response_class=Response)
def report(context: Context, _: Reader, name: Annotated[str, InPath(max_length=130)]) -> Response:
    """One report: a page, or its JSON."""
    return report_response(context.place.reports, name, sandbox=True)


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
    context: Context,
    _: Reader,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
    untyped: Annotated[bool, Query()] = False,
) -> Response:
    """The journal's rows as server-sent events; an event's id is its row number. Last-Event-ID resumes after that row,
    0 replays everything; without it the stream starts after the row `after`, else at the head. untyped: every row is an
    event of the type message, whatever its kind."""
    if context.hub.streams >= STREAMS_MAX or context.hub.stopping.is_set():
        raise HttpProblem(503, "too many streams are open", {"Retry-After": "5"})
    head = await context.hub.look()
    position = position_of(after if last_event_id is None else last_event_id, head.seq)
    return EventStream(context.hub, position, untyped=untyped)
