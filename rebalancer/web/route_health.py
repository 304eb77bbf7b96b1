"""Health and metrics. Without a token they tell nothing but that the process lives."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from rebalancer.core.errors import ExternalError
from rebalancer.core.values import time_text
from rebalancer.version import __version__
from rebalancer.web import facts
from rebalancer.web.context import Context, Reader, WebContext, token_of
from rebalancer.web.metrics import MEDIA_TYPE
from rebalancer.web.problems import HttpProblem, documented

router: Final = APIRouter()
metrics_for_readers: Final = APIRouter()
metrics_for_all: Final = APIRouter()
_HEALTH: Final = ("/health", "/api/v1/health", "/api/v1/health/")
PUBLIC: Final = (*_HEALTH, "/api/v1/health/readiness", "/api/v1/health/liveness")


@router.get("/health", responses=documented())
@router.get("/api/v1/health", responses=documented(), include_in_schema=False)
@router.get("/api/v1/health/", responses=documented())
def health(context: Context, request: Request) -> dict[str, Any]:
    """`{"status": "ok"}`; with the scope read also what is known."""
    token = token_of(request)
    if token is None or "read" not in token.scopes:
        return {"status": "ok"}
    return {"status": "ok", **_details(context)}


@router.get("/api/v1/health/liveness", responses=documented())
async def liveness() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@router.get("/api/v1/health/readiness", responses=documented())
def readiness(context: Context) -> dict[str, str]:
    """Whether the journal and the receipts can be read: 200, else 503."""
    if context.hub.stopping.is_set():
        raise HttpProblem(503, "the server is stopping")
    try:
        facts.journal_status(context.place)
        facts.opened_receipts(context.place).close()
    except (ExternalError, OSError):
        raise HttpProblem(503, "the journal or the receipts cannot be read") from None
    return {"status": "ok"}


@metrics_for_readers.get("/metrics", responses=documented(), response_class=Response)
def metrics(context: Context, _: Reader) -> Response:
    """Figures for Prometheus."""
    return _figures(context)


@metrics_for_all.get("/metrics", responses=documented(), response_class=Response)
def public_metrics(context: Context) -> Response:
    """Figures for Prometheus, for everybody who reaches this port."""
    return _figures(context)


def _figures(context: WebContext) -> Response:
    return Response(context.metrics.text(), media_type=MEDIA_TYPE)


def _details(context: WebContext) -> dict[str, Any]:
    place = context.place
    status, session = facts.journal_status(place), place.session()
    last = None if status is None else status.last_cycle
    return {
        "version": __version__,
        "mode": place.mode,
        "session": None if session is None else {"doing": session.doing, "next_at": _time(session.next_at)},
        "kill_switch": facts.kill_reason(place, status),
        "last_cycle": None
        if last is None
        else {"cycle_id": last.cycle_id, "outcome": last.outcome, "started_at": time_text(last.started_at)},
        "unknown_orders": 0 if status is None else status.unknown,
        "head": context.hub.head.seq,
    }


def _time(moment: Any) -> str | None:
    return None if moment is None else time_text(moment)
