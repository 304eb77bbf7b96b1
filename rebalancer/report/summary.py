"""The cycle in a few figures and in one sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import ZERO
from rebalancer.report.allocation import by_symbol, largest_drift
from rebalancer.report.attention import Attention, attention
from rebalancer.report.numbers import amount_of, basis_points, fixed, money, percent
from rebalancer.report.records import OrderLine, RunRecord, RunSummary
from rebalancer.report.visible import TEXT_MAX, visible
from rebalancer.report.words import cycle_word


class Totals(NamedTuple):
    """Sums over the orders of a cycle. USD, except counts; `not_sent` were planned and never became orders; `planned`
    is the value of all funded orders at decision prices; `slippage` is lost (+) or gained (-) against arrival prices on
    `traded`, None without a fill."""

    orders: int
    filled: int
    sells: int
    buys: int
    planned: Decimal
    traded: Decimal
    slippage: Decimal | None
    not_sent: int = 0


def totals(record: RunRecord) -> Totals:
    """Add up the orders. An order counts as filled when all of its funded quantity was."""
    known = [cost for cost in (line.slippage for line in record.orders) if cost is not None]
    own = [line for line in record.orders if line.was_intended]
    return Totals(
        len(own),
        sum(line.state is OrderState.FILLED for line in record.orders),
        sum(line.side == "sell" for line in own),
        sum(line.side == "buy" for line in own),
        sum((line.funded_qty * line.arrival_price for line in record.orders), ZERO),
        sum((line.fill_value for line in record.orders), ZERO),
        sum(known, ZERO) if known else None,
        len(record.orders) - len(own),
    )


def sentence(record: RunRecord, items: tuple[Attention, ...] | None = None) -> str:
    """Say what happened, what it cost, what it changed and whether a person is needed."""
    items = attention(record) if items is None else items
    parts = [_what_happened(record), *_cost(record), *_drift(record)]
    return "; ".join(parts) + f"; {needs_text(items)}."


def needs_text(items: tuple[Attention, ...]) -> str:
    """Whether a person is needed, in words."""
    act = sum(item.level == "act" for item in items)
    if act:
        return f"{amount_of(act, 'thing needs', 'things need')} you"
    return "nothing needs you" + (f", {amount_of(len(items), 'thing')} to watch" if items else "")


def summary_of(record: RunRecord, page: str = "") -> RunSummary:
    """The run in one line."""
    total = totals(record)
    account = record.account_after or record.snapshot.account
    return RunSummary(
        cycle_id=record.snapshot.cycle_id,
        started_at=record.started_at,
        mode=record.mode,
        outcome=record.outcome,
        because=record.because,
        orders=total.orders,
        filled=total.filled,
        turnover=total.traded,
        equity=account.equity,
        needs=sum(item.level == "act" for item in attention(record)),
        page=page,
        constrained=record.constrained,
    )


def turnover_text(record: RunRecord) -> str:
    """What was traded, or would be, as a fraction of capital."""
    total = totals(record)
    value = total.planned if record.mode == "dry_run" else total.traded
    return percent(float(value / record.plan.capital) if record.plan.capital > ZERO else None, 1)


def _what_happened(record: RunRecord) -> str:
    total = totals(record)
    if not total.orders:
        word = cycle_word(record.outcome).text
        because = visible(record.because, TEXT_MAX)
        if record.outcome is CycleOutcome.HOLDING and because:
            return f"No orders. Holding: {because}"  # the outcome's words are this reason
        start = f"{word[0].upper()}{word[1:]}"
        return f"No orders. {start}" + (f" ({because})" if because else "")
    sides = _sides(tuple(line for line in record.orders if line.was_intended))
    if record.mode == "dry_run":
        return f"{amount_of(total.orders, 'order')} would be sent ({sides}), none was"
    start = "" if record.outcome is CycleOutcome.COMPLETED else f"{cycle_word(record.outcome).text.capitalize()}. "
    left = f", {total.not_sent} planned and not sent" if total.not_sent else ""
    if total.filled == total.orders:
        return f"{start}{amount_of(total.orders, 'order')} placed and filled ({sides}){left}"
    return f"{start}{total.filled} of {amount_of(total.orders, 'order')} filled ({sides}){left}"


def _sides(orders: tuple[OrderLine, ...]) -> str:
    counts = [(sum(line.side == side for line in orders), side) for side in ("sell", "buy")]
    return ", ".join(amount_of(count, side) for count, side in counts if count)


def _cost(record: RunRecord) -> list[str]:
    total = totals(record)
    if record.mode == "dry_run":
        return [f"turnover would be {turnover_text(record)} of capital"] if total.planned else []
    if not total.traded:
        return []
    parts = [f"turnover {turnover_text(record)} of capital"]
    if total.slippage is not None:
        side = "lost" if total.slippage > 0 else "gained"
        parts.append(
            f"{money(abs(total.slippage))} {side} to slippage ({basis_points(total.slippage, total.traded)} bp)"
            if total.slippage
            else "no slippage"
        )
    return [", ".join(parts)]


def _drift(record: RunRecord) -> list[str]:
    before, after = largest_drift(by_symbol(record))
    if before is None or (not before and not after):
        return []
    if after is None:
        return [f"largest drift {fixed(before * 100, 2)} pp"]
    return [f"largest drift {fixed(before * 100, 2)} → {fixed(after * 100, 2)} pp"]
