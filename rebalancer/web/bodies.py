"""JSON bodies: bounded, strict, and only from who says that it is JSON (a form cannot, without asking first)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.web.problems import HttpProblem

BYTES_MAX: Final = 1024 * 1024
SECONDS_MAX: Final = 10.0  # for the whole body


async def read_body(request: Request, most: int = BYTES_MAX) -> bytes:
    """The body. Raises HttpProblem 413 beyond `most` bytes, 408 for one that drips, 415 for a compressed one."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpProblem(415, "send the body as it is, not compressed")
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > most:
        raise HttpProblem(413, f"a body has at most {most} bytes")
    parts, size = [], 0
    try:
        async with asyncio.timeout(SECONDS_MAX):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HttpProblem(413, f"a body has at most {most} bytes")
                parts.append(part)
    except TimeoutError:
        raise HttpProblem(408, f"the body did not arrive within {SECONDS_MAX:g} s", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise HttpProblem(400, "the body ended early") from None
    return b"".join(parts)


async def read_json_body(request: Request) -> Any:
    """The JSON value of a body: UTF-8, no repeated keys, no NaN, no half characters. Raises HttpProblem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpProblem(415, "send Content-Type: application/json")
    return parsed_json(await read_body(request))


def parsed_json(body: bytes) -> Any:
    """A strict JSON value. Raises HttpProblem 400."""
    try:
        return read_json(body.decode("utf-8"), "body")
    except UnicodeDecodeError:
        raise HttpProblem(400, "the body is not UTF-8") from None
    except BadDocument as error:
        raise HttpProblem(400, f"{error.where}: {error.problem}") from None
