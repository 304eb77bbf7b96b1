"""Write cycles and orders to the journal within the caller's transaction, checking everything first."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text as statement

from rebalancer.core.codec import sha256
from rebalancer.core.decisions import Verdict
from rebalancer.core.errors import JournalBroken
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import text_of
from rebalancer.journal import reading
from rebalancer.journal.chain import stamp
from rebalancer.journal.conditions import where
from rebalancer.journal.orders import Change, changed, reopens
from rebalancer.journal.records import NO_CYCLE, CycleEnd, CycleStart, Event, Intent, OrderRecord
from rebalancer.journal.store import Writing

# As text: see `store`.
_CLAIM: Final = statement(
    "INSERT INTO claims (account_id, cycle_id, at, mode, holder) VALUES (:account_id, :cycle_id, :at, :mode, :holder)"
)
_DOCUMENT: Final = statement("INSERT INTO documents (sha256, body, body_sha256) VALUES (:sha256, :body, :body_sha256)")
_CAN_BE_CARRIED: Final = frozenset({OrderState.OPEN, OrderState.UNKNOWN})


class PlanTexts(NamedTuple):
    """The inputs of one cycle's plan, and the plan, as the exact texts that were hashed."""

    account_id: str
    cycle_id: str
    at: datetime
    snapshot_text: str
    rules_text: str
    plan_text: str


def begin_cycle(writing: Writing, start: CycleStart, holder: str) -> bool:
    """Claim a slot and record the cycle's start; False when anyone has claimed it before."""
    if not _claim(writing, start.account_id, start.cycle_id, start.at, start.mode, holder):
        return False
    body = {"version": start.version, "rules_sha256": start.rules_sha256, "holder": holder}
    writing.append(start.at, start.account_id, start.cycle_id, "cycle_started", start.mode, body)
    return True


def close_slot(
    writing: Writing, account_id: str, slot_id: str, at: datetime, outcome: CycleOutcome, because: str, holder: str
) -> bool:
    """Claim a slot in which no cycle will run and record its outcome; False when anyone has claimed it before."""
    if not _claim(writing, account_id, slot_id, at, NO_CYCLE, holder):
        return False
    body = {"outcome": outcome, "because": because, "holder": holder}
    writing.append(at, account_id, slot_id, "slot", slot_id, body)
    return True


def _claim(writing: Writing, account_id: str, cycle_id: str, at: datetime, mode: str, holder: str) -> bool:
    mine = {"account_id": account_id, "cycle_id": cycle_id}
    if writing.ask("SELECT 1 FROM claims WHERE account_id = :account_id AND cycle_id = :cycle_id", mine):
        return False
    claim = {"account_id": account_id, "cycle_id": cycle_id, "at": stamp(at), "mode": mode, "holder": holder}
    writing.connection.execute(_CLAIM, claim)
    return True


def require_open(writing: Writing, account_id: str, cycle_id: str) -> Event:
    """The start of a cycle that has not ended. Raises JournalBroken for any other cycle."""
    start = reading.start_of(writing.ask, cycle_id, account_id)
    if start is None:
        raise JournalBroken(f"cycle {cycle_id} of {account_id} was never begun")
    if reading.newest(writing.ask, where(kind="cycle_ended", account_id=account_id, cycle_id=cycle_id)):
        raise JournalBroken(f"cycle {cycle_id} of {account_id} is closed already")
    return start


def record_plan(writing: Writing, plan: PlanTexts) -> None:
    """Store a cycle's plan and its inputs in full. Repeating it has no effect; a different plan is refused."""
    start = require_open(writing, plan.account_id, plan.cycle_id)
    body = {
        "snapshot_sha256": _stored(writing, plan.snapshot_text),
        "rules_sha256": _stored(writing, plan.rules_text),
        "plan_sha256": _stored(writing, plan.plan_text),
    }
    if body["rules_sha256"] != start.body["rules_sha256"]:
        raise JournalBroken(f"cycle {plan.cycle_id} of {plan.account_id} was begun with other rules than planned with")
    mine = where(kind="cycle_planned", account_id=plan.account_id, cycle_id=plan.cycle_id)
    planned = reading.newest(writing.ask, mine)
    if planned is None:
        writing.append(plan.at, plan.account_id, plan.cycle_id, "cycle_planned", None, body)
    elif dict(planned.body) != body:
        raise JournalBroken(f"cycle {plan.cycle_id} of {plan.account_id} has another plan already")


def _stored(writing: Writing, text: str) -> str:
    """Store a text unless it is stored already. Returns its SHA-256, by which it can be loaded."""
    name = sha256(text)
    if not writing.ask("SELECT 1 FROM documents WHERE sha256 = :name", {"name": name}):
        body = zlib.compress(text.encode(), 6)
        stored = {"sha256": name, "body": body, "body_sha256": hashlib.sha256(body).hexdigest()}
        writing.connection.execute(_DOCUMENT, stored)
    return name


def record_intent(writing: Writing, account_id: str, intent: Intent) -> None:
    """Append an intent, unless it is recorded and not final. Raises JournalBroken when its id is used for another."""
    if sha256(intent.body) != intent.body_sha256:
        raise JournalBroken(f"order {intent.client_order_id}: the hash of its body does not match the body")
    known = reading.order(writing.ask, intent.client_order_id)
    if known is None:
        fields = ("phase", "symbol", "side", "qty", "body_sha256", "body")
        body = {name: getattr(intent, name) for name in fields}
        writing.append(intent.at, account_id, intent.cycle_id, "order_intended", intent.client_order_id, body)
    elif _said(known) != _said(intent):
        raise JournalBroken(f"order {intent.client_order_id}: this id was used before for another order")
    elif known.account_id != account_id:
        raise JournalBroken(f"order {intent.client_order_id}: this id belongs to the account {known.account_id}")
    elif known.state.is_final:
        raise JournalBroken(f"order {intent.client_order_id}: has ended as {known.state}; its id cannot be used again")


def _said(order: Intent | OrderRecord) -> tuple[object, ...]:
    return (order.cycle_id, order.phase, order.symbol, order.side, order.qty, order.body_sha256)


def record_order(writing: Writing, account_id: str, client_order_id: str, change: Change) -> None:
    """Append a change to an order. Raises JournalBroken when the transition is not allowed."""
    known = reading.order(writing.ask, client_order_id)
    if known is None or known.account_id != account_id:
        raise JournalBroken(f"order {client_order_id}: the account {account_id} never intended it")
    after = changed(known, change)
    if after is known:
        return
    body = {
        "state": after.state,
        "filled_qty": after.filled_qty,
        "filled_avg_price": after.filled_avg_price,
        "broker_id": after.broker_id,
        "reason": after.reason,
        "message": after.message,
    }
    if reopens(known, after):
        writing.append(change.at, account_id, known.cycle_id, "order_reopened", client_order_id, body)
    kind = "order_ended" if after.state.is_final else "order_changed"
    writing.append(change.at, account_id, known.cycle_id, kind, client_order_id, body)


def close_cycle(writing: Writing, end: CycleEnd, verdicts: Sequence[Verdict], carried: Collection[str]) -> None:
    """Append the verdicts and the end. Raises JournalBroken while an order of the cycle that is not carried over could
    still change."""
    start = require_open(writing, end.account_id, end.cycle_id)
    _refuse_unended(writing, end, carried)
    named = [(verdict.signal_id, verdict.symbol) for verdict in verdicts]
    if len(set(named)) != len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise JournalBroken(f"cycle {end.cycle_id}: signal {twice[0]!r} of {twice[1]} has two verdicts")
    before = reading.peak_equity(writing.ask, end.account_id)
    known = [equity for equity in (before, end.opening_equity, end.equity) if equity is not None]
    body = end._asdict() | {"carried": sorted(carried), "peak_equity": max(known, default=None)}
    without = [name for name in ("constrained", "opening_equity") if body[name] is None]
    for column in ("account_id", "cycle_id", "at", *without):
        del body[column]
    writing.append(end.at, end.account_id, end.cycle_id, "cycle_verdicts", None, {"verdicts": tuple(verdicts)})
    writing.append(end.at, end.account_id, end.cycle_id, "cycle_ended", start.key, body)


def _refuse_unended(writing: Writing, end: CycleEnd, carried: Collection[str]) -> None:
    mine = where(account_id=end.account_id, cycle_id=end.cycle_id)
    for order, _ in reading.orders_where(writing.ask, mine).values():
        if order.state.is_final:
            continue
        if order.client_order_id in carried and order.state in _CAN_BE_CARRIED:
            continue
        raise JournalBroken(
            f"cycle {end.cycle_id} cannot be closed: order {order.client_order_id} ({order.side} "
            f"{text_of(order.qty)} {order.symbol}) is still {order.state}"
        )
