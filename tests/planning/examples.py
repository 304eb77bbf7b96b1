"""Small worlds to read aloud: every name costs 50 USD, capital is 100 000 USD, nothing else is said unless written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rebalancer.core.facts import Account, Instrument, OpenOrder, Position, Quote, Session, Signal, Snapshot
from rebalancer.core.rules import Rules
from rebalancer.core.values import decimal_near
from rebalancer.planning import decide_cycle
from rebalancer.planning.decided import Decided
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.trading_halt import MAY_TRADE
from rebalancer.planning.validate_signals import usable_prices, validate_signals

NOW = datetime(2026, 11, 20, 15, 35, tzinfo=UTC)
HUGE = {"max_trade_size": "100000", "max_order_value": "100000"}  # USD; nothing is spread over cycles
ACCOUNT = Account(
    id="paper-1",
    equity=Decimal(50_000),
    last_equity=Decimal(50_000),
    peak_equity=Decimal(50_000),
    cash=Decimal(50_000),
    buying_power=Decimal(100_000),
    multiplier=Decimal(2),
    shorting_enabled=True,
)


def instrument(symbol: str, **changes: Any) -> Instrument:
    """A plain share at the volatility target."""
    plain = Instrument(
        symbol, "us_equity", True, False, True, Decimal(1), Decimal("0.01"), f"sector {symbol}", f"group {symbol}", 0.3
    )
    return plain._replace(**changes)


def quote(symbol: str, **changes: Any) -> Quote:
    """49.99 to 50.01, two seconds old."""
    mid = Decimal(50)
    plain = Quote(symbol, mid - Decimal("0.01"), mid + Decimal("0.01"), mid, NOW - timedelta(seconds=2))
    return plain._replace(**changes)


def signal(symbol: str, score: float = 1.0, **changes: Any) -> Signal:
    """A signal of full confidence, one minute old, called s-SYMBOL."""
    return Signal(f"s-{symbol}", symbol, score, 1.0, "external", NOW - timedelta(minutes=1))._replace(**changes)


def book(**shares: str) -> tuple[Position, ...]:
    """Positions, all of them available."""
    return tuple(Position(s, Decimal(q), Decimal(q), Decimal(48)) for s, q in shares.items())


def order(symbol: str, side: str, qty: str, **changes: Any) -> OpenOrder:
    """An open market order of ours."""
    assert side in ("buy", "sell")
    plain = OpenOrder(
        f"o-{symbol}", symbol, "buy" if side == "buy" else "sell", Decimal(qty), Decimal(0), "market", True
    )
    return plain._replace(**changes)


def snapshot(names: str = "ABC", **changes: Any) -> Snapshot:
    """A calm moment with one instrument and one quote for each letter in `names`."""
    plain = Snapshot(
        cycle_id="2026-11-20T15:35Z",
        as_of=NOW,
        session=Session(True, NOW - timedelta(hours=1), NOW + timedelta(hours=5)),
        account=ACCOUNT,
        instruments=tuple(instrument(s) for s in names),
        quotes=tuple(quote(s) for s in names),
    )
    return plain._replace(**changes)


def rules(**sections: Any) -> Rules:
    """The defaults with changes per section; stops are far away, so that heat binds only where it is asked to."""
    risk = {"max_trade_heat": 1.0, **sections.pop("risk_management", {})}
    return Rules.model_validate({"risk_management": risk, **sections})


def decided(facts: Snapshot, sections: Rules) -> Decided:
    """What the numeric core decides when nothing halts the cycle."""
    prices = usable_prices(facts, sections.quotes)
    signals = validate_signals(facts, prices, sections).signals
    capital = facts.account.equity * decimal_near(sections.position_sizing.capital_scaling)
    return decide_cycle(facts, sections, reconcile(facts), prices, signals, MAY_TRADE, capital)
