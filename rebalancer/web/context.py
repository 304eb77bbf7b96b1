"""What the routes share, and how a route says what its caller must be allowed to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer

from rebalancer.web.answers import AnswerBook
from rebalancer.web.bodies import read_json_body
from rebalancer.web.events import EventHub
from rebalancer.web.kept_inbox import KeptInbox
from rebalancer.web.live_board import LiveBoard
from rebalancer.web.metrics import WebMetrics
from rebalancer.web.place import WebPlace
from rebalancer.web.problems import HttpProblem
from rebalancer.web.tokens import WebToken

_BEARER = HTTPBearer(auto_error=False, description="rebalancer web token add NAME --scope ...")


class WebContext(NamedTuple):
    """The state of one server. `place`: the account of the API; `shown`: those of the page; `logins`: the file of
    browsers that are logged in."""

    place: WebPlace
    shown: tuple[WebPlace, ...]
    hub: EventHub
    answers: AnswerBook
    metrics: WebMetrics
    inbox: KeptInbox
    board: LiveBoard
    logins: Path


def context_of(request: Request) -> WebContext:
    """The context of the server that answers."""
    context: WebContext = request.app.state.context
    return context


def token_of(request: Request) -> WebToken | None:
    """The caller's token, None on a public path without one."""
    token: WebToken | None = request.scope.get("state", {}).get("token")
    return token


def needs(scope: str) -> Any:
    """A dependency that lets only tokens with this scope through, as their token."""

    def check(request: Request, _: Annotated[object, Depends(_BEARER)]) -> WebToken:
        token = token_of(request)
        if token is None:
            raise HttpProblem(401, "give a token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})
        if scope not in token.scopes:
            raise HttpProblem(403, f"this needs the scope {scope}, and the token has {', '.join(token.scopes)}")
        return token

    return Security(check, scopes=[scope])


def takes_writes(request: Request) -> None:
    """Raises HttpProblem 403 on a live account that takes nothing over HTTP."""
    why = context_of(request).place.refuses_writes()
    if why is not None:
        raise HttpProblem(403, why, outcome="DENIED_LIVE_WRITES")


def body_schema(schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The OpenAPI entry for a JSON body that a route reads itself."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


Context = Annotated[WebContext, Depends(context_of)]
JsonBody = Annotated[Any, Depends(read_json_body)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
Reader = Annotated[WebToken, needs("read")]
Signaller = Annotated[WebToken, needs("signals")]
Executor = Annotated[WebToken, needs("execute")]
Killer = Annotated[WebToken, needs("kill")]
