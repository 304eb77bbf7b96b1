"""What the journal knows of one symbol, for `explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from rebalancer.core.codec import read_rules
from rebalancer.core.errors import SignalsUnavailable
from rebalancer.core.rules import Rules
from rebalancer.journal.exit_order_records import KIND, exit_pair_of
from rebalancer.journal.reads import JournalReads
from rebalancer.report.numbers import percent, price, shares
from rebalancer.report.symbol_history import PastOrder, SymbolHistory

ORDERS_SHOWN: Final = 5
LOOKED_AT: Final = 5_000  # the newest intents of all symbols: more than a month of full days


def remembered(journal: JournalReads, state: Path, account_id: str, cycle_id: str, symbol: str) -> SymbolHistory:
    """The symbol's settings in that cycle's rules, its current protection, its last orders, and what its votes rest on
    while they are the newest of their sources."""
    rules = read_rules(journal.rules_text(cycle_id) or "{}")
    return SymbolHistory(
        weights=rules.signals.weights,
        min_trade=rules.position_sizing.min_trade_size,
        orders_most=rules.risk_management.max_orders_per_symbol_per_day,
        protection=_protection(journal, account_id, symbol, rules),
        orders=_orders(journal, account_id, symbol),
        rests_on=_grounds(state, symbol, rules) if rules.signals.enabled_sources else {},
    )


def _grounds(state: Path, symbol: str, rules: Rules) -> dict[str, str]:
    """What the votes on a symbol rest on, by their ids. Nothing when the store cannot be read: it explains, no more."""
    from rebalancer.signals.sources.store import NAME, VoteStore

    if not (state / NAME).is_file():
        return {}
    try:
        with VoteStore.open(state / NAME) as store:
            votes = [vote for vote in store.votes(rules.signals.enabled_sources) if vote.symbol == symbol]
    except SignalsUnavailable:
        return {}
    said = {vote.signal_id: " ".join([vote.because, *json.loads(vote.citations)]).strip() for vote in votes}
    return {name: text for name, text in said.items() if text}


def _protection(journal: JournalReads, account_id: str, symbol: str, rules: Rules) -> str:
    end = journal.last_end(account_id)
    held = end is not None and bool(end.expected_positions.get(symbol))
    if not held:
        return "nothing is held"
    ours = rules.protection
    if ours.mode == "off":
        return "off: the position has no stop"
    stop, target = percent(ours.stop_loss, 1), percent(ours.take_profit, 1)
    by = f"stop {stop} against the entry price, target {target} in favour of it"
    if ours.mode == "monitor":
        return f"watched by this program while a session runs: {by}, unless its signal named prices"
    event = next((event for event in journal.newest_of_each(KIND, account_id) if event.key == symbol), None)
    if event is None:
        return f"! none at the broker yet; to be placed: {by}"
    kept = exit_pair_of(event)
    pair = f"stop {price(kept.stop)}, target {price(kept.target)} for {shares(abs(kept.qty))}"
    if kept.state == "open" and not kept.stands:
        return f"! a cancel was requested and is not confirmed: {pair}  {kept.client_order_id}"
    if kept.state == "open":
        return f"at the broker: {pair}  {kept.client_order_id}"
    because = f", {kept.because}" if kept.because else ""
    return f"! {kept.state}: {pair}{because}  {kept.client_order_id}"


def _orders(journal: JournalReads, account_id: str, symbol: str) -> tuple[PastOrder, ...]:
    intents = journal.recall(account_id, "order_intended", last=LOOKED_AT)
    ids = [event.key for event in intents if event.key and event.body["symbol"] == symbol][-ORDERS_SHOWN:]
    found = journal.orders(ids)
    return tuple(
        PastOrder(
            order.client_order_id,
            order.intended_at,
            order.side,
            order.qty,
            order.filled_qty,
            order.filled_avg_price,
            order.state,
            order.message,
        )
        for order in (found[name] for name in reversed(ids))
    )
