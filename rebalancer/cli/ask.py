"""Ask a person at a terminal before an action that cannot be undone.

Without a terminal, or with --yes, no question is asked and nothing is read for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import ExternalError
from rebalancer.core.units import amount_of
from rebalancer.core.values import ZERO, cents_toward_zero, text_of

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup


def agrees(shown: Callable[[], Sequence[str]], question: str) -> bool:
    """Whether to go on. Shows the lines and asks on stderr; anything but y or yes means no, including the end of input.
    When the lines cannot be read, the error is shown instead and the question is asked anyway."""
    from rebalancer.settings.live_trading import COMMAND_LINE

    said = COMMAND_LINE.get()
    if (said is not None and said.yes) or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    try:
        lines = shown()
    except (ExternalError, BadDocument) as error:
        lines = [f"it cannot be shown: {error}"]
    sys.stderr.write("".join(f"{line}\n" for line in lines) + f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def held_now(setup: Setup) -> list[str]:
    """Every position with its value, and the sum of their absolute values in USD: at the bid for longs, at the ask for
    shorts, at the entry price where there is no quote."""
    from rebalancer.cli.connection import connected

    with connected(setup) as connection:
        broker = connection.connect(setup.rules.broker)
        try:
            held = sorted(p for p in broker.positions() if p.qty != ZERO)
            quotes = {q.symbol: q for q in broker.quotes([p.symbol for p in held])} if held else {}
            working = [order for order in broker.orders(None) if not order.state.is_final]
        finally:
            broker.close()
    lines, total = [], ZERO
    for position in held:
        quote = quotes.get(position.symbol)
        side = None if quote is None else quote.bid if position.qty > ZERO else quote.ask
        price = side or (quote.last if quote is not None else None) or position.avg_entry_price
        total += abs(position.qty) * price
        lines.append(f"  {position.symbol:<8} {text_of(position.qty):>12} {_usd(position.qty * price):>18}")
    return [f"{amount_of(len(held), 'position')} worth {_usd(total)}, {amount_of(len(working), 'open order')}", *lines]


def next_purchases(setup: Setup) -> list[str]:
    """What a cycle would buy if it ran now and nothing were halted. The plan is discarded: nothing is written or
    sent."""
    from rebalancer.cli.connection import connected
    from rebalancer.planning import plan
    from rebalancer.rebalance.observe import observe
    from rebalancer.session.execute import opened_world

    with connected(setup) as connection, opened_world(setup, connection, dry_run=True) as (world, _):
        seen = observe(world, setup.rules, None).snapshot
        decided = plan(seen._replace(kill_switch=False, latched={}), setup.rules)
    opened = [order for order in decided.orders if order.phase == "increase"]
    if not opened:
        return [f"the next cycle would buy nothing: {decided.because}"]
    total = sum((order.notional for order in opened), ZERO)
    return [
        f"the next cycle would send {len(opened)} orders that open or increase positions, worth {_usd(total)}:",
        *(f"  {o.side:<5} {o.symbol:<8} {text_of(o.qty):>12} {_usd(o.notional):>18}" for o in opened),
    ]


def _usd(amount: Decimal) -> str:
    return f"{cents_toward_zero(amount):,.2f} USD"
