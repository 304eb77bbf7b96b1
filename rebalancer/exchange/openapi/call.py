"""What the document says about one call."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from rebalancer.exchange.openapi.objects import DAY, TIME, Schema

MOMENT: Final[Schema] = {"anyOf": [TIME, DAY]}


class Call(NamedTuple):
    """One call. `answer` None means no body; `errors` are the refusals, all of them with the object `refusal`."""

    summary: str
    answer: Schema | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    query: tuple[dict[str, Any], ...] = ()
    body: Schema | None = None
    needs_keys: bool = True
    media: str = "application/json"
    refusal: str = "Error"


def asked(name: str, schema: Schema, *, required: bool = False, example: object = None) -> dict[str, Any]:
    """A parameter of the query."""
    parameter: dict[str, Any] = {"name": name, "in": "query", "schema": schema}
    if required:
        parameter["required"] = True
    if example is not None:
        parameter["example"] = example
    return parameter
