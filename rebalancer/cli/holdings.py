"""`positions` and `orders`: what the broker holds now, as tables or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.errors import BadUsage
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import log_to_stderr, terminal_width, wants_colour
from rebalancer.core.units import quantity_title

if TYPE_CHECKING:
    from rebalancer.brokers.protocol import BrokerOrder
    from rebalancer.cli.at_broker import Holdings, OrderStatus


def show_positions(config: Sequence[Path] | None, *, as_json: bool, colour: bool) -> int:
    """Print every position with its value and unrealised profit."""
    import json

    from rebalancer.cli.at_broker import holdings
    from rebalancer.core.documents import plain
    from rebalancer.session.setup import load_setup

    log_to_stderr()
    found = holdings(load_setup(config))
    if as_json:
        document = {"schema": "rebalancer.positions/1", **plain(found)}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    sys.stdout.write(positions_text(found, width=terminal_width(), colour=colour and wants_colour()))
    return ExitCode.DONE


def show_orders(config: Sequence[Path] | None, *, status: str, limit: int, as_json: bool, colour: bool) -> int:
    """Print the newest orders of the last 30 days, and all open ones."""
    import json

    from rebalancer.cli.at_broker import newest_orders
    from rebalancer.core.documents import plain
    from rebalancer.session.setup import load_setup

    log_to_stderr()
    found = newest_orders(load_setup(config), _status(status), limit)
    if as_json:
        document = {"schema": "rebalancer.orders/1", "orders": [plain(order) for order in found]}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    sys.stdout.write(orders_text(found, width=terminal_width(), colour=colour and wants_colour()))
    return ExitCode.DONE


def positions_text(found: Holdings, *, width: int | None, colour: bool) -> str:
    """One line a position, then their sum and the cash; a dash where no price is known."""
    from rebalancer.report.columns import TableRow, clip, paint, table
    from rebalancer.report.numbers import clock_text, day_text, fixed, masked, money, percent, price, shares
    from rebalancer.report.visible import visible_symbol

    when = f"{day_text(found.asked_at)} {clock_text(found.asked_at)} ET"
    head = f"{masked(found.account_id)}   equity {money(found.equity)}   cash {money(found.cash)}   {when}"
    lines = [paint(clip(head, width), "bold", colour)]
    if not found.positions:
        return "\n".join([*lines, "no positions"]) + "\n"
    rows = [
        TableRow(
            (
                visible_symbol(one.symbol),
                shares(one.qty),
                price(one.avg_entry_price),
                price(one.price),
                fixed(one.value, 2),
                fixed(None if one.weight is None else one.weight * 100, 2),
                fixed(one.profit, 2, sign=True),
                percent(one.profit_fraction, sign=True),
            ),
            "" if one.profit is None else "ok" if one.profit > 0 else "bad" if one.profit < 0 else "",
        )
        for one in found.positions
    ]
    values = [one.value for one in found.positions if one.value is not None]
    profits = [one.profit for one in found.positions if one.profit is not None]
    total, gain = sum(values, Decimal(0)), sum(profits, Decimal(0))
    weight = fixed(float(total / found.equity) * 100, 2) if found.equity > 0 else "–"
    rows.append(TableRow(("total", "", "", "", fixed(total, 2), weight, fixed(gain, 2, sign=True), "")))
    columns = (
        "symbol",
        quantity_title(one.symbol for one in found.positions),
        "entry",
        "price",
        "value USD",
        "of equity %",
        "profit USD",
        "",
    )
    return "\n".join([*lines, *table(columns, "<>>>>>>>", rows, width=width, colour=colour)]) + "\n"


def orders_text(found: Sequence[BrokerOrder], *, width: int | None, colour: bool) -> str:
    """One line an order, newest first."""
    from rebalancer.planning.build_order import ID_PREFIX
    from rebalancer.report.columns import TableRow, table
    from rebalancer.report.numbers import day_text, hour_text, price, shares
    from rebalancer.report.visible import visible, visible_symbol

    if not found:
        return "no orders\n"
    rows = [
        TableRow(
            (
                day_text(one.submitted_at).partition(" ")[2],
                hour_text(one.submitted_at),
                visible_symbol(one.symbol),
                "▲ buy" if one.side == "buy" else "▼ sell",
                visible(one.type, 13),
                shares(one.filled_qty) + ("" if one.filled_qty == one.qty else f" of {shares(one.qty)}"),
                price(one.filled_avg_price),
                "ours" if one.client_order_id.startswith(ID_PREFIX) else "other",
                visible(one.status, 20),
            ),
            "bad" if one.status in ("rejected", "suspended") else "" if one.state.is_final else "warn",
        )
        for one in found
    ]
    columns = ("day", "ET", "symbol", "side", "type", "filled", "at USD", "by", "state")
    return "\n".join(table(columns, "<<<<<>>" + "<<", rows, width=width, colour=colour)) + "\n"


def _status(text: str) -> OrderStatus:
    match text:
        case "open" | "closed" | "all":
            return text
        case _:
            raise BadUsage("orders --status", f"{text!r:.40} is not known", "there are: open, closed, all")
