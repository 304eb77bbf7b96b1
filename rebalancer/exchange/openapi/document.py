"""The OpenAPI document and the route that serves it."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange.openapi.call import Call
from rebalancer.exchange.openapi.calls import CALLS
from rebalancer.exchange.openapi.objects import OBJECTS, TEXT, refer


def openapi_routes() -> list[Route]:
    """The route of the document."""

    async def openapi(_: Request) -> JSONResponse:
        return JSONResponse(document())

    return [Route("/openapi.json", openapi, methods=["GET"])]


_ANYWHERE: Final = 403  # every call, from a web page or under another name of this machine


@cache
def document() -> dict[str, Any]:
    """The exchange as an OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for name, call in CALLS.items():
        method, _, path = name.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(name, path, call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Embedded paper exchange",
            "version": "2",
            "description": "Alpaca's Trading API v2 and market data over a simulated market.",
        },
        "paths": paths,
        "components": {
            "schemas": OBJECTS,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "APCA-API-KEY-ID"},
                "secret": {"type": "apiKey", "in": "header", "name": "APCA-API-SECRET-KEY"},
            },
        },
        "security": [{"key": [], "secret": []}],
    }


def _operation(name: str, path: str, call: Call) -> dict[str, Any]:
    in_path = [
        {"name": part, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}
        for part in re.findall(r"\{(\w+)\}", path)
    ]
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", name.lower()).strip("_"),
        "summary": call.summary,
        "parameters": [*in_path, *call.query],
        "responses": {str(call.status): _answer(call)},
    }
    for status in sorted({*call.errors, _ANYWHERE}):
        content = {"application/json": {"schema": refer(call.refusal)}}
        operation["responses"][str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": call.body}}}
    if not call.needs_keys:
        operation["security"] = []
    return operation


def _answer(call: Call) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": call.summary}
    if call.answer is not None:
        answer["content"] = {call.media: {"schema": call.answer}}
    return answer
