"""Errors as RFC 9457 problem documents, with the outcome word of this program where there is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "outcome": {"type": "string"},
        "because": {"type": "string"},
        "signal_id": {"type": ["string", "null"]},
    },
}


class HttpProblem(Exception):
    """A request that is refused: status, one sentence, and further fields of the document."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **fields: object) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.fields = status, detail, dict(headers or {}), fields

    def document(self) -> dict[str, object]:
        """The JSON document."""
        title = HTTPStatus(self.status).phrase
        return {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, **self.fields}


def problem_response(problem: HttpProblem) -> Response:
    """The answer to a refused request."""
    body = json.dumps(problem.document(), ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(body, problem.status, problem.headers, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for its OpenAPI document; every route may also answer the common ones."""
    common = (400, 401, 403, 421, 429, 500, 503)
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
        for status in sorted({*common, *statuses})
    }
