"""Build the order to send for a trade, with a deterministic client order id.

The id is derived from account, cycle, phase, symbol and attempt, which makes submission idempotent. It is at most 48
characters long and starts with our prefix, which distinguishes our orders from others. In the first order of a phase,
LEAD takes the place of the symbol: if two copies of this program run the same cycle of an account with different
signals and journals, both submit this id first, and the broker accepts it from only one of them.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from rebalancer.core.decisions import Order, Phase, PositionIntent
from rebalancer.core.facts import Instrument
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, Side, cents_toward_zero
from rebalancer.planning.validate_signals import Prices
from tests.planning.oracle.fit_to_buying_power import reserve_per_share
from tests.planning.oracle.phase import Trade
from tests.planning.oracle.pricing import limit_price

ID_PREFIX: Final = "rb-"
ID_LENGTH_MAX: Final = 48
LEAD: Final = "1ST"  # no symbol begins with a digit


def build_order(
    trade: Trade,
    account_id: str,
    cycle_id: str,
    instrument: Instrument,
    prices: Prices,
    rules: Rules,
    *,
    leads: bool = False,
) -> Order:
    """The order for one trade. Notional is in USD at the limit price (market orders: the decision price), rounded
    toward zero to cents.

    leads: whether this is the first order of its phase.
    """
    side: Side = "buy" if trade.qty > 0 else "sell"
    is_long = trade.qty > 0
    opening = trade.phase == "increase"
    is_coin = instrument.asset_class == "crypto"
    qty = abs(trade.qty)
    per_share = (
        reserve_per_share(prices.ask[trade.symbol], rules, prices.venue, is_coin=is_coin, is_long=is_long)
        if opening
        else ZERO
    )
    return Order(
        client_order_id=order_id(account_id, cycle_id, trade.phase, LEAD if leads else trade.symbol, 1),
        phase=trade.phase,
        symbol=trade.symbol,
        side=side,
        qty=qty,
        notional=cents_toward_zero(qty * trade.paid),
        type=rules.execution.order_type,
        limit_price=limit_price(side, instrument, prices, rules),
        time_in_force=prices.venue.time_in_force(instrument.asset_class),
        position_intent=_intent(side, opening=opening),
        price=trade.price,
        reserve=per_share * qty,
        drift=trade.drift,
        because=trade.because,
    )


def order_id(account_id: str, cycle_id: str, phase: Phase, symbol: str, attempt: int) -> str:
    """The client order id, such as `rb-20261120T1535Z-AAPL-i1-3f9a2c1b7d04`."""
    fields = "\x1f".join((account_id, cycle_id, phase, symbol, str(attempt)))
    digest = hashlib.sha256(fields.encode()).hexdigest()[:12]
    when = _letters(cycle_id)[:14]
    name = symbol[:8] if symbol.isalnum() else re.sub(r"[^0-9A-Z.]", "", symbol)[:8]
    text = f"{ID_PREFIX}{when}-{name}-{phase[0]}{attempt}-{digest}"
    assert len(text) <= ID_LENGTH_MAX, text
    return text


@lru_cache(maxsize=8)
def _letters(cycle_id: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", cycle_id)


def _intent(side: Side, *, opening: bool) -> PositionIntent:
    if side == "buy":
        return "buy_to_open" if opening else "buy_to_close"
    return "sell_to_open" if opening else "sell_to_close"
