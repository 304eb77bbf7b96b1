"""Reading request bodies: bounded, strict JSON, and nothing that could not be stored as text."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

from starlette.requests import ClientDisconnect, Request

from rebalancer.exchange.errors import bad_request, too_large

SIZE_MAX: Final = 1024 * 1024
_UNREADABLE: Final = "request body format is invalid"


async def json_object(request: Request) -> dict[str, object]:
    """The body as a JSON object, numbers exact. Raises ApiError 400 or 413."""
    raw = await _bounded(request)
    try:
        document = json.loads(raw.decode(), parse_float=Decimal, parse_constant=_refuse)
        json.dumps(document, default=str, ensure_ascii=False).encode()  # lone surrogates fail here, not in the store
    except (ValueError, InvalidOperation, RecursionError):  # no decimal holds 1e9999999999999999999
        raise bad_request(_UNREADABLE) from None
    if not isinstance(document, dict):
        raise bad_request(_UNREADABLE)
    return document


def parameters(request: Request) -> dict[str, str]:
    """Query parameters; a repeated one is the list of its values, each once, as if they were separated by commas."""
    found: dict[str, dict[str, None]] = {}
    for name, value in request.query_params.multi_items():
        values = found.setdefault(name, {})
        if value:
            values[value] = None
    return {name: ",".join(values) for name, values in found.items()}


async def _bounded(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:12]) > SIZE_MAX:
        raise too_large()
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > SIZE_MAX:
                raise too_large()
            parts.append(part)
    except ClientDisconnect:  # nobody is there any more to read this answer, and nothing is done
        raise bad_request(_UNREADABLE) from None
    return b"".join(parts)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
