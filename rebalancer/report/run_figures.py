"""The figures of one cycle, each once: its page, its JSON and its line in the index take them from here."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.values import ZERO
from rebalancer.report.allocation import by_symbol, largest_drift
from rebalancer.report.figures.figure import Figures
from rebalancer.report.figures.of_account import Standing, add_standing
from rebalancer.report.records import RunRecord
from rebalancer.report.summary import totals


def figures_of_run(record: RunRecord) -> Figures:
    """Every figure of a cycle, at its own moment: the scope is its id."""
    figures, cycle, total = Figures(), record.snapshot.cycle_id, totals(record)
    account = record.account_after or record.snapshot.account
    add_standing(figures, cycle, Standing(account.equity, account.cash, account.peak_equity))
    figures.add("capital", cycle, record.plan.capital, "usd")
    gained = account.equity - account.last_equity
    figures.add("since_close", cycle, gained, "usd_signed")
    share = gained / account.last_equity if account.last_equity else None
    figures.add("return_since_close", cycle, share, "percent_signed")
    figures.add("orders", cycle, total.orders, "count")
    figures.add("orders_filled", cycle, total.filled, "count")
    figures.add("not_sent", cycle, total.not_sent, "count")
    value = total.planned if record.mode == "dry_run" else total.traded
    figures.add("traded", cycle, value, "usd")
    figures.add("turnover_of_capital", cycle, _of(value, record.plan.capital), "share")
    figures.add("slippage", cycle, total.slippage, "usd_signed")
    before, after = largest_drift(by_symbol(record))
    figures.add("largest_drift", cycle, before if after is None else after, "points")
    return figures


def _of(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole > ZERO else None
