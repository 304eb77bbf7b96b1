"""The routes that write: signals, target weights, execute, the kill switch. None of them trades."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import JSONResponse

from rebalancer.core.documents import BadDocument, canonical_json, sha256
from rebalancer.core.outcomes import Outcome
from rebalancer.core.values import symbol_of, text_of, time_text
from rebalancer.execution.kill_switch import REASON_LENGTH_MAX
from rebalancer.ops.clock import SystemClock
from rebalancer.signals.formats.documents import TARGETS_SCHEMA, read_document
from rebalancer.signals.formats.signal_file import SignalFile
from rebalancer.signals.reading import WeightUnit
from rebalancer.signals.receipts.books import OlderBook
from rebalancer.signals.receipts.inbox import Receipt
from rebalancer.web import facts, schemas
from rebalancer.web.answers import WebAnswer
from rebalancer.web.context import (
    Context,
    Executor,
    IdempotencyKey,
    JsonBody,
    Killer,
    Signaller,
    WebContext,
    body_schema,
    takes_writes,
)
from rebalancer.web.execute import execute_signal, is_known, refused, row_of
from rebalancer.web.kill import set_kill_switch
from rebalancer.web.problems import MEDIA_TYPE, HttpProblem, documented

router: Final = APIRouter()
ROWS_MAX: Final = 10_000


@router.post(
    "/api/v1/trading/execute",
    dependencies=[Depends(takes_writes)],
    responses={200: schemas.EXECUTED, 202: schemas.LATER, **documented(408, 409, 413, 415, 422)},
    openapi_extra=body_schema(schemas.EXECUTE),
)
async def execute(context: Context, token: Executor, body: JsonBody, key: IdempotencyKey = None) -> JSONResponse:
    """Act on one signal now, if a session runs: answers within 30 s with the order, the reason, or a receipt."""
    if not isinstance(body, dict):
        raise HttpProblem(422, "the body is not an object", outcome=Outcome.REJECTED_INVALID)
    place = context.place
    status = await asyncio.to_thread(facts.journal_status, place)
    why = facts.kill_reason(place, status)
    if why is not None:
        raise HttpProblem(
            409, f"the kill switch is set: {why}", outcome="HALTED_KILL_SWITCH", because=why, signal_id=None
        )
    row = row_of(body)
    given_id = row.get("id")
    name = given_id if isinstance(given_id, str) else None

    async def do() -> WebAnswer:
        try:
            symbol = symbol_of(str(row.get("symbol")))
        except ValueError as error:
            return refused(Outcome.REJECTED_INVALID, f"symbol: {error}", name)
        if not await asyncio.to_thread(is_known, place, symbol):
            return refused(Outcome.REJECTED_UNKNOWN_SYMBOL, f"no cycle has seen {symbol}", name)
        given = None if key is None else f"{token.name}\n{key}"
        return await execute_signal(context, row, token.name, given)

    answer = await context.answers.once(f"{token.name} execute", key, body, SystemClock().wall(), do)
    return _json(answer)


@router.post(
    "/api/v1/signals",
    dependencies=[Depends(takes_writes)],
    responses={200: schemas.RECEIPTS, **documented(408, 413, 415, 422)},
    openapi_extra=body_schema(schemas.SIGNALS),
)
async def signals(context: Context, token: Signaller, body: JsonBody, key: IdempotencyKey = None) -> JSONResponse:
    """Insert signals; the next cycle reads them. One receipt for each row, in their order."""
    rows = body.get("signals") if isinstance(body, dict) and set(body) == {"signals"} else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HttpProblem(
            422, 'the body is neither {"signals": [...]} nor a list of objects', outcome="REJECTED_INVALID"
        )
    if len(rows) > ROWS_MAX:
        raise HttpProblem(413, f"one call has at most {ROWS_MAX} signals")

    async def do() -> WebAnswer:
        given = None if key is None else f"{token.name}\n{key}"
        found = await asyncio.to_thread(_receive, context, rows, token.name, given)
        return WebAnswer(200, {"receipts": [_receipt(receipt) for receipt in found]})

    return _json(await context.answers.once(f"{token.name} signals", key, body, SystemClock().wall(), do))


@router.put(
    "/api/v1/targets",
    dependencies=[Depends(takes_writes)],
    responses={200: schemas.TARGETS_TAKEN, **documented(408, 413, 415, 422)},
    openapi_extra=body_schema(schemas.TARGETS),
)
async def targets(context: Context, token: Signaller, body: JsonBody, key: IdempotencyKey = None) -> JSONResponse:
    """Replace the target weights of this source: all of them, or none when any row cannot be used."""
    if not isinstance(body, dict):
        raise HttpProblem(422, "the body is not an object", outcome="REJECTED_INVALID")

    async def do() -> WebAnswer:
        return WebAnswer(
            200, await asyncio.to_thread(_put_book, context, {"schema": TARGETS_SCHEMA, **body}, token.name)
        )

    return _json(await context.answers.once(f"{token.name} targets", key, body, SystemClock().wall(), do))


@router.post(
    "/api/v1/kill",
    responses={200: schemas.KILLED, **documented(408, 413, 415, 422)},
    openapi_extra=body_schema(schemas.KILL),
)
async def kill(context: Context, token: Killer, body: JsonBody) -> dict[str, Any]:
    """Set the kill switch. It can only be lifted on the machine itself: rebalancer resume --reason ..."""
    reason = body.get("reason") if isinstance(body, dict) and set(body) <= {"reason"} else None
    if not isinstance(reason, str):
        raise HttpProblem(422, f'say why: {{"reason": "..."}}, at most {REASON_LENGTH_MAX} characters')
    was_set = await asyncio.to_thread(set_kill_switch, context.place, reason, token)
    return {"kill_switch": context.place.halted(), "was_set_before": was_set}


def _receive(
    context: WebContext, rows: Sequence[Mapping[str, object]], source: str, key: str | None
) -> tuple[Receipt, ...]:
    return context.inbox.get().receive(
        rows, source=source, at=SystemClock().wall(), key=key, repeat_within=context.place.repeat_within
    )


def _put_book(context: WebContext, document: Mapping[str, object], source: str) -> dict[str, Any]:
    place, now = context.place, SystemClock().wall()
    try:
        found = read_document(document, "targets", source, now, now, timedelta(0))
    except BadDocument as error:
        raise HttpProblem(422, f"{error.where}: {error.problem}", outcome="REJECTED_INVALID", hint=error.hint) from None
    assert found is not None  # it has a schema
    if len(found.rows) > ROWS_MAX:
        raise HttpProblem(413, f"one call has at most {ROWS_MAX} targets")
    _refuse_book(found, source)
    unit = WeightUnit.of(place.rules)
    issued_at = found.as_of or now
    digest = sha256(canonical_json(document))
    rows = [
        {
            "symbol": row.symbol,
            "target": text_of(unit.converted(row.value, found.weights_of)),
            **({} if found.as_of is None else {"issued_at": time_text(issued_at)}),
            "id": f"{source}-{sha256(chr(10).join((source, row.symbol, digest)))[:16]}",
        }
        for row in found.rows
        if row.value is not None
    ]
    try:
        receipts = context.inbox.get().receive_book(
            rows, source=source, at=now, complete=found.complete, as_of=found.as_of
        )
    except OlderBook as error:
        raise HttpProblem(422, str(error), outcome=Outcome.REJECTED_SUPERSEDED, because=str(error)) from None
    except ValueError as error:
        raise HttpProblem(422, str(error), outcome="REJECTED_INVALID") from None
    return {
        "source": source,
        "complete": found.complete,
        "receipts": [_receipt(receipt) for receipt in receipts],
        "warnings": list(found.warnings),
    }


def _refuse_book(found: SignalFile, source: str) -> None:
    problems = [f"targets[{row.line - 1}]: {row.problem}" for row in found.rows if row.problem is not None]
    strange = [f"targets[{row.line - 1}]: source: is not {source}" for row in found.rows if row.source != source]
    reasons = [*problems, *strange, *found.problems]
    if reasons:
        raise HttpProblem(422, reasons[0], outcome="REJECTED_INVALID", problems=reasons[:100])


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "problem": receipt.problem or None,
        "signal_id": receipt.signal_id,
        "symbol": receipt.symbol,
        "is_new": receipt.is_new,
    }


def _json(answer: WebAnswer) -> JSONResponse:
    kind = MEDIA_TYPE if answer.status >= 400 else "application/json"
    return JSONResponse(answer.document, answer.status, media_type=kind)
