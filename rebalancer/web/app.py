"""The application: routes behind the gate, and every error as a problem document."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError
from rebalancer.version import __version__
from rebalancer.web import route_health, route_pages, route_reads, route_writes
from rebalancer.web.context import Reader, WebContext
from rebalancer.web.gate import RequestGate
from rebalancer.web.logins import LoginFile
from rebalancer.web.metrics import WebMetrics
from rebalancer.web.problems import HttpProblem, documented, problem_response
from rebalancer.web.tokens import TokenFile

LOG: Final = logging.getLogger(__name__)


def api_app(context: WebContext, tokens: TokenFile, hosts: Collection[str]) -> ASGIApp:
    """The API behind its gate."""
    web = context.place.rules.web
    app = FastAPI(
        title="rebalancer", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.context = context
    app.include_router(route_health.router)
    app.include_router(route_health.metrics_for_all if web.metrics_public else route_health.metrics_for_readers)
    app.include_router(route_writes.router)
    app.include_router(route_reads.router)
    app.include_router(route_pages.api)
    app.include_router(route_pages.router)

    @app.get("/api/v1/openapi.json", responses=documented())
    async def openapi(_: Reader) -> JSONResponse:
        """The OpenAPI document of this API."""
        return JSONResponse(app.openapi())

    answer_errors(app)
    public = {*route_health.PUBLIC, *route_pages.PUBLIC, *(["/metrics"] if web.metrics_public else [])}
    logins = LoginFile(context.logins)
    return Counted(RequestGate(app, hosts, tokens, public, web.requests_per_minute, logins), context.metrics)


class Counted:
    """Counts the answers of an application by their status."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.count(message["status"])
            await send(message)

        await self._app(scope, receive, counted)


def answer_errors(app: FastAPI) -> None:
    """Answer every error of the routes with a problem document. None quotes a path, a secret or a traceback."""

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, HttpProblem)
        return problem_response(error)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem_response(HttpProblem(error.status_code, str(error.detail), error.headers))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first: Any = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return problem_response(HttpProblem(422, f"{place}: {first['msg']}", outcome="REJECTED_INVALID"))

    async def unavailable(_: Request, error: Exception) -> Response:
        LOG.warning("%s", str(error).partition("\n")[0])
        return problem_response(HttpProblem(503, f"unavailable: {type(error).__name__}", {"Retry-After": "5"}))

    async def unexpected(_: Request, error: Exception) -> Response:
        LOG.error("unexpected %s", type(error).__name__)
        return problem_response(HttpProblem(500, "unexpected error; the log has its kind"))

    app.add_exception_handler(HttpProblem, problem)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (ExternalError, BadDocument, OSError):
        app.add_exception_handler(kind, unavailable)
    app.add_exception_handler(Exception, unexpected)
