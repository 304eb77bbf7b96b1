"""What needs a person, each item with the command that fixes it; empty when all is well.

Two levels: `act` does not resolve itself; `watch` does, by the next cycle or by the next day. A weight cap that binds
is neither (that is its purpose); a limit that stops trading is, from 80 % of its use.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import ZERO, symbol_of
from rebalancer.report.limits import is_near
from rebalancer.report.numbers import amount_of, percent, shares
from rebalancer.report.records import OrderLine, RunRecord
from rebalancer.report.visible import TEXT_MAX, visible, visible_symbol
from rebalancer.report.words import OUTCOME_WORD, cycle_word, limit_name

_CYCLE_COMMAND: Final[dict[CycleOutcome, tuple[str, str]]] = {
    CycleOutcome.HALTED_KILL_SWITCH: ("Nothing is sent until you lift it.", "rebalancer resume --reason 'why'"),
    CycleOutcome.HALTED_DAILY_LOSS: ("Look at the losses before the next session.", "rebalancer status"),
    CycleOutcome.HALTED_DRAWDOWN: ("Look at the losses before going on.", "rebalancer status"),
    CycleOutcome.HALTED_UNRECONCILED: ("Compare the positions with the broker's own page.", "rebalancer history"),
    CycleOutcome.HALTED_STALE_QUOTES: ("Check the data feed and its age.", "rebalancer config show"),
    CycleOutcome.HALTED_ACCOUNT: ("The broker has restricted the account.", "rebalancer status"),
    CycleOutcome.HALTED_PLAN: ("A fault of this program: report it with the stored plan.", "rebalancer replay --all"),
    CycleOutcome.HALTED_BROKER_DOWN: ("Check the connection and the broker's status page.", "rebalancer status"),
    CycleOutcome.ABANDONED: ("The next cycle asks the broker about every open order.", "rebalancer run-now"),
}


class Attention(NamedTuple):
    """One thing to know, and the command to type; `command` is empty when there is none."""

    level: Literal["act", "watch"]
    title: str
    text: str
    command: str


def attention(record: RunRecord) -> tuple[Attention, ...]:
    """Everything that needs a person, things to do before things to watch. All texts are safe to show."""
    found = [*_cycle(record), *_account(record), *_orders(record), *_books(record), *_limits(record), *_sources(record)]
    return tuple(sorted(found, key=lambda item: item.level != "act"))


def _cycle(record: RunRecord) -> Iterator[Attention]:
    if record.outcome in _CYCLE_COMMAND:
        hint, command = _CYCLE_COMMAND[record.outcome]
        title = cycle_word(record.outcome).text.capitalize()
        yield Attention("act", title, _sentences(record.because, hint), command)
    if record.constrained is not None:
        trades, largest, drift = record.constrained
        title = f"Denied by a limit: {amount_of(trades, 'trade')}"
        text = f"The largest is a drift of {percent(float(drift))} of capital: {OUTCOME_WORD[largest]}."
        yield Attention("watch", title, _sentences(text, "The next cycle plans them again."), "rebalancer history")


def _account(record: RunRecord) -> Iterator[Attention]:
    account = record.account_after or record.snapshot.account
    if account.restrictions and record.outcome is not CycleOutcome.HALTED_ACCOUNT:
        flags = ", ".join(visible(flag, 60) for flag in account.restrictions)
        yield Attention("act", "Account restricted", f"The broker says: {flags}.", "rebalancer status")


def _orders(record: RunRecord) -> Iterator[Attention]:
    for line in record.orders:
        name = visible_symbol(line.symbol)
        what = f"{line.side} {shares(line.funded_qty)} {name}"
        reason = _sentences(": ".join(t for t in (line.reason.replace("_", " "), line.message) if t))
        if line.state is OrderState.UNKNOWN:
            text = _sentences(reason, f"{name} is frozen until the broker answers; the next cycle asks again.")
            yield Attention("act", f"Unknown at the broker: {what}", text, _explain(line))
        elif line.state is OrderState.REFUSED:
            yield Attention("act", f"Refused: {what}", reason or "The broker gave no reason.", _explain(line))
        elif line.state is OrderState.NOT_SENT and line.funded_qty > ZERO:
            text = _sentences(reason, "The next cycle plans again.")
            yield Attention("watch", f"Not sent: {what}", text, _explain(line))
        elif line.state.is_final and line.state is not OrderState.WITHHELD and line.filled_qty < line.funded_qty:
            title = f"{'Partly' if line.filled_qty else 'Not'} filled: {what}"
            text = f"{shares(line.filled_qty)} of {shares(line.funded_qty)} filled; the next cycle trades the rest."
            yield Attention("watch", title, _sentences(reason, text), _explain(line))
        elif line.state in (OrderState.OPEN, OrderState.INTENDED):
            yield Attention(
                "act", f"Still open: {what}", _sentences(reason, "It may still fill."), "rebalancer run-now"
            )


def _books(record: RunRecord) -> Iterator[Attention]:
    unexplained = {symbol: text for symbol, kind, text in record.reconciled if kind == "unexplained"}
    unknown = {line.symbol for line in record.orders if line.state is OrderState.UNKNOWN}
    for symbol, why in {**record.plan.frozen, **unexplained}.items():
        if symbol not in unknown:
            title = f"Frozen: {visible_symbol(symbol)}"
            yield Attention("act", title, _sentences(str(why)), explain_command(symbol))


def _limits(record: RunRecord) -> Iterator[Attention]:
    for limit in record.plan.limits:
        name, share = limit_name(limit.name), percent(limit.share, 0)
        if limit.is_exceeded:
            text = f"{share} of the limit would be used after all orders; only reductions are sent."
            yield Attention("act", f"Over the limit: {name}", text, "rebalancer config show")
        elif is_near(limit):
            yield Attention("watch", f"Near the limit: {name}", f"{share} of the limit is used.", "rebalancer status")


def _sources(record: RunRecord) -> Iterator[Attention]:
    """Trading goes on without a source that is off; only some causes end by themselves."""
    for row in record.sources:
        if row.state == "off":
            level: Literal["act", "watch"] = "act" if row.kind in ("key", "gone", "missing") else "watch"
            title = f"Source off: {visible(row.name, 40)}"
            yield Attention(level, title, _sentences(row.because, row.hint), "rebalancer sources list")
        elif row.state == "stopped":
            title = f"Source not asked: {visible(row.name, 40)}"
            yield Attention("watch", title, _sentences(row.because, row.hint), "rebalancer sources list")


def explain_command(symbol: str) -> str:
    """The command that explains a symbol. A name that is not a valid symbol is never put into a command to copy."""
    try:
        known = symbol_of(symbol)
    except ValueError:
        return "rebalancer history"
    return f"rebalancer explain {shlex.quote(known)}" if known == symbol else "rebalancer history"


def _explain(line: OrderLine) -> str:
    return explain_command(line.symbol)


def _sentences(*parts: str) -> str:
    """Join texts into sentences, each with a capital and a full stop."""
    shown = [visible(part, TEXT_MAX).strip() for part in parts if part.strip()]
    return " ".join(f"{part[0].upper()}{part[1:]}" + ("" if part[-1] in ".!?)" else ".") for part in shown)
