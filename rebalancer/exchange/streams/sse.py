"""`/v2/events/trades` and `/v2beta1/events/activities`: order events and activities as server-sent events.

Unlike the websocket they can replay.

`since`, `since_id` begin in the past, `until`, `until_id` end the stream; without an end it goes on with what happens.
`since` and both ends are inclusive; `since_id` is the last event that the client has, and is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from rebalancer.exchange import parameters as read
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.errors import invalid
from rebalancer.exchange.http.body import parameters
from rebalancer.exchange.parameters import Parameters
from rebalancer.exchange.streams.activity_events import ActivityEvents
from rebalancer.exchange.streams.hub import Hub

_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_COMMENT_POLLS: Final = 500  # a comment line about every ten seconds keeps the connection alive


class _Replayable(Protocol):
    """A log of events, each with `place`, `at`, `id` and `body`. Places rise; what they are is the log's affair."""

    def last(self) -> Any: ...

    def after(self, place: Any) -> Sequence[Any]: ...

    def before_moment(self, at: int) -> Any: ...

    def place_of(self, identity: str) -> Any: ...


class _Span(NamedTuple):
    """Events after the place `seen`, up to and including the moment and the id."""

    seen: Any
    until: int | None
    until_id: str | None


def event_routes(exchange: Exchange, hub: Hub) -> list[Route]:
    """The routes of replayable events."""
    activity_events = ActivityEvents(exchange)

    def stream(request: Request, log: _Replayable) -> StreamingResponse:
        span = _span(exchange, parameters(request), log)
        headers = {"Cache-Control": "no-cache"}
        return StreamingResponse(_events(exchange, hub, span, log), media_type="text/event-stream", headers=headers)

    async def trades(request: Request) -> StreamingResponse:
        return stream(request, exchange.events)

    async def activities(request: Request) -> StreamingResponse:
        return stream(request, activity_events)

    return [
        Route("/v2/events/trades", trades, methods=["GET"]),
        Route("/v2beta1/events/activities", activities, methods=["GET"]),
    ]


def _span(exchange: Exchange, parameters: Parameters, log: _Replayable) -> _Span:
    since, until = read.moment(parameters, "since"), read.moment(parameters, "until")
    since_id, until_id = _identity(parameters, "since_id"), _identity(parameters, "until_id")
    if since is not None and since_id is not None:
        raise invalid("only one of since or since_id is accepted")
    if until is not None and until_id is not None:
        raise invalid("only one of until or until_id is accepted")
    if (until is not None or until_id is not None) and since is None and since_id is None:
        raise invalid("until requires since or since_id")
    with exchange.reading():
        if since is not None:
            seen = log.before_moment(since)
        elif since_id is not None:
            seen = log.place_of(since_id)
        else:
            seen = log.last()
    return _Span(seen, until, until_id)


async def _events(exchange: Exchange, hub: Hub, span: _Span, log: _Replayable) -> AsyncIterator[str]:
    seen, silent = span.seen, 0
    yield ": welcome\n\n"
    while True:
        with exchange.reading() as at:
            events = log.after(seen)
        for event in events:
            if (span.until is not None and event.at > span.until) or (span.until_id and event.id > span.until_id):
                return
            seen = event.place
            yield f"data: {event.body}\n\n"
            if event.id == span.until_id:
                return
        if events:
            continue
        if span.until is not None and at > span.until:
            return
        silent += 1
        if silent % _COMMENT_POLLS == 0:
            yield ": heartbeat\n\n"
        if not await hub.pause():
            return


def _identity(parameters: Parameters, name: str) -> str | None:
    text = parameters.get(name, "")
    if not text:
        return None
    if not _ULID.fullmatch(text):
        raise invalid(f"invalid {name}: {text[:40]}")
    return text
