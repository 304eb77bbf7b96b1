"""Random but valid worlds: a seed gives a snapshot and rules, the same on every machine.

Nothing here is uniform on purpose: every odd thing (a fraction of a share, a crossed quote, an order of a stranger, a
signal from the future) is rare in each symbol and common over a few thousand seeds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.random import Generator

from rebalancer.core.facts import (
    Account,
    Day,
    Explanation,
    Instrument,
    OpenOrder,
    Position,
    Session,
    Snapshot,
    TradingCosts,
)
from rebalancer.core.rules import Rules
from tests.planning.opinions import AS_OF, chance, decimal, pick, quote, signals

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
CLOSE = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
SECTORS = ("Energy", "Health", "Technology", "Tech", "Utilities", None)
CLUSTERS = ("g1", "g10", "g2", "g3", None)
METHODS = ("fixed_fraction", "proportional", "inverse_volatility", "equal")


class World(NamedTuple):
    """One cycle's facts and the rules to decide by."""

    snapshot: Snapshot
    rules: Rules


def world(seed: int, *, calm: bool = False) -> World:
    """The world of a seed. calm: nothing stops the cycle and no loss limit is reached, so that orders are likely."""
    rng = np.random.default_rng(seed)
    rules = _rules(rng, calm=calm)
    account = _account(rng, calm=calm)
    capital = float(account.equity) * rules.position_sizing.capital_scaling
    count = int(rng.choice([0, 1, 2, 5, 12, 25, 60], p=[0.02, 0.05, 0.08, 0.2, 0.3, 0.25, 0.1]))
    instruments = tuple(_instrument(rng, i) for i in range(count))
    prices = {i.symbol: _price(rng, i) for i in instruments}
    positions, orders = [], []
    crowd = float(rng.choice([0.2, 1.0, 3.0]))
    for instrument in instruments:
        position = _position(rng, instrument, prices[instrument.symbol], capital * crowd / max(count, 4), account)
        held = position.qty if position else Decimal(0)
        if chance(rng, 0.06):
            order, position = _open_order(rng, instrument, prices[instrument.symbol], capital / 30, position)
            orders.append(order)
            if chance(rng, 0.3):  # and another one, perhaps of somebody else
                orders.append(order._replace(client_order_id=f"{order.client_order_id}-b", ours=chance(rng, 0.5)))
        if position and held:
            positions.append(position)
    stale_share = 0.0 if calm else float(rng.choice([0.03, 0.03, 0.03, 0.7]))
    quotes = tuple(
        one
        for i in instruments
        if (one := quote(rng, i, prices[i.symbol], bad=stale_share if stale_share else 0.02)) is not None
    )
    told = signals(rng, instruments, prices)
    expected, explanations, before = _expectation(rng, positions, calm=calm)
    moved = (
        timedelta(0)
        if calm
        else pick(rng, [timedelta(0)] * 20 + [timedelta(hours=9), CLOSE - AS_OF - timedelta(seconds=20)])
    )
    as_of = AS_OF + moved
    shift = moved if moved else timedelta(0)
    snapshot = Snapshot(
        cycle_id="2026-11-20T15:35Z",
        as_of=as_of,
        session=Session(is_open=calm or not chance(rng, 0.02), open=OPEN, close=CLOSE),
        account=account,
        positions=tuple(positions),
        open_orders=tuple(orders),
        instruments=instruments,
        quotes=tuple(q._replace(at=q.at + shift) for q in quotes),
        signals=tuple(s._replace(issued_at=s.issued_at + shift) for s in told),
        day=_day(rng, instruments, rules),
        expected_positions=expected,
        explanations=explanations,
        unexplained_before=before,
        kill_switch=not calm and chance(rng, 0.02),
    )
    return World(snapshot, rules)


def with_costs(found: World, seed: int) -> World:
    """The same world with a band by trading costs, which are known, known for some names alone, or not known."""
    rng = np.random.default_rng([seed, 3])
    snapshot, rules = found
    document = rules.model_dump()
    document["position_sizing"]["no_trade_band"] |= {
        "width": "cost", "risk_aversion": pick(rng, [0.5, 2.0, 5.0, 20.0])
    }  # fmt: skip
    scale = pick(rng, [0.0, 5.0, 40.0, 400.0])
    by_symbol = {i.symbol: float(rng.normal(scale, scale / 2)) for i in snapshot.instruments if chance(rng, 0.7)}
    costs = TradingCosts(snapshot.as_of.date(), 40, scale, by_symbol) if chance(rng, 0.9) else None
    return World(snapshot._replace(trading_costs=costs), Rules.model_validate(document))


def limited(found: World, seed: int) -> World:
    """The same world under the limits that are off by default, late on a day that may be half, after exits."""
    rng = np.random.default_rng([seed, 1])
    snapshot, rules = found
    document = rules.model_dump()
    document["risk_management"] |= {
        "on_breach": pick(rng, ["reduce_only", "flatten"]),
        "max_positions": pick(rng, [None, 0, 1, 3, 8]),
        "max_stop_distance": pick(rng, [None, 0.02, 0.05]),
        "max_overnight_leverage": pick(rng, [1.9, 0.5, 0.2]),
        "overnight_glide_minutes": pick(rng, [60, 60, 0, 390]),
        "flat_by_minutes_before_close": pick(rng, [None, None, None, 10, 60]),
    }
    symbols = [i.symbol for i in snapshot.instruments]
    document["selection"] = {
        "only": symbols[: len(symbols) // 2] if chance(rng, 0.1) else [],
        "exclude": [s for s in symbols if chance(rng, 0.03)],
        "side": pick(rng, ["both"] * 8 + ["buy", "sell"]),
        "withdraw": pick(rng, ["0", "0", "0", "1000"]),
        "max_turnover": pick(rng, [None, None, None, 0.02, 0.1]),
    }
    left = timedelta(minutes=pick(rng, [325, 325, 45, 12, 6]))
    session = snapshot.session
    if session.close - snapshot.as_of > left:
        session = session._replace(close=snapshot.as_of + left)
    gone = {s: snapshot.as_of - timedelta(minutes=int(rng.integers(0, 90))) for s in symbols if chance(rng, 0.05)}
    latched = {name: "0.09 lost" for name in ("daily_loss", "drawdown") if chance(rng, 0.05)}
    doubt = "the reading contradicts itself" if chance(rng, 0.01) else ""
    snapshot = snapshot._replace(session=session, stopped_out=gone, latched=latched, doubt=doubt)
    return _opted_in(World(snapshot, rules), document, rng)


def _opted_in(found: World, document: dict[str, Any], rng: Generator) -> World:
    """The world with facts that a snapshot need not have, and the rules of this document with keys that few set."""
    snapshot = found.snapshot
    document["risk_management"]["max_correlated_positions"] = pick(rng, [None, None, None, None, 0, 1, 3])
    document["protection"] |= {
        "cool_off": pick(rng, ["session", "session", "none", 1, 60]),
        "cool_off_lifted_by_newer_signal": chance(rng, 0.3),
    }
    document["position_sizing"] |= {
        "confidence_scaling": pick(rng, ["proportional"] * 4 + ["above_75"]),
        "crypto_floor": pick(rng, [None, 0.005, 0.1]),
        "volatility_measure": pick(rng, ["returns"] * 3 + ["atr"]),
    }
    if chance(rng, 0.25):
        document["position_sizing"]["method"] = "fixed"
    wide = tuple(
        i._replace(atr=None if chance(rng, 0.2) else decimal(float(rng.choice([0.0, 0.1, 0.4, 2.0, 30.0])), 2))
        for i in snapshot.instruments
    )
    stops = {s: at for s, at in snapshot.stopped_out.items() if chance(rng, 0.7)} if chance(rng, 0.5) else None
    return World(snapshot._replace(instruments=wide, stop_exits=stops), Rules.model_validate(document))


def worlds(*, calm: bool = False) -> st.SearchStrategy[World]:
    """Worlds for hypothesis. The seed is all there is to shrink; the example printed is the one to replay."""
    return st.integers(0, 2**32 - 1).map(lambda seed: world(seed, calm=calm))


def shuffled(snapshot: Snapshot, seed: int) -> Snapshot:
    """The same facts told in another order."""
    rng = np.random.default_rng(seed)

    def mixed(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(rows[k] for k in rng.permutation(len(rows)))

    def mixed_map(rows: Any) -> Any:
        return None if rows is None else dict(mixed(tuple(rows.items())))

    return snapshot._replace(
        positions=mixed(snapshot.positions),
        open_orders=mixed(snapshot.open_orders),
        instruments=mixed(snapshot.instruments),
        quotes=mixed(snapshot.quotes),
        signals=mixed(snapshot.signals),
        explanations=mixed(snapshot.explanations),
        expected_positions=mixed_map(snapshot.expected_positions),
        unexplained_before=mixed_map(snapshot.unexplained_before),
        latched=mixed_map(snapshot.latched),
        stopped_out=mixed_map(snapshot.stopped_out),
        stop_exits=mixed_map(snapshot.stop_exits),
        day=Day(snapshot.day.orders_sent, mixed_map(snapshot.day.orders_sent_by_symbol)),
    )


def _rules(rng: Generator, *, calm: bool) -> Rules:
    side_limits = chance(rng, 0.4)
    return Rules.model_validate(
        {
            "execution": {
                "enabled": calm or not chance(rng, 0.02),
                "signal_threshold": pick(rng, [0.0, 0.1, 0.2]),
                "max_orders_per_execution": pick(rng, [0, 2, 10] + 7 * [200]),
                "order_type": pick(rng, ["market", "market", "limit"]),
                "limit_offset_bps": pick(rng, [0, 10, 500]),
                "neutral_signals": pick(rng, ["exit", "hold"]),
                "unsignalled_positions": pick(rng, ["hold", "hold", "exit"]),
            },
            "position_sizing": {
                "capital_scaling": pick(rng, [1.0, 2.0, 2.0]),
                "base_position_size": pick(rng, [0.05, 0.10, 0.25]),
                "max_position_size": pick(rng, [0.05, 0.15, 0.5]),
                "max_total_exposure": pick(rng, [0.3, 0.8, 1.0, 2.0]),
                "max_long_exposure": pick(rng, [0.2, 0.6]) if side_limits else None,
                "max_short_exposure": pick(rng, [0.05, 0.3]) if side_limits and chance(rng, 0.7) else None,
                "min_trade_size": pick(rng, ["1", "100", "100", "500"]),
                "max_trade_size": pick(rng, ["600", "10000", "10000", "1000000"]),
                "max_order_value": pick(rng, ["5000", "15000", "1000000"]),
                "method": pick(rng, METHODS),
                "allow_short": chance(rng, 0.6),
                "fractional": chance(rng, 0.4),
                "no_trade_band": {
                    "absolute": pick(rng, [0.0, 0.0025, 0.01]),
                    "relative": pick(rng, [0.0, 0.05, 0.2]),
                    "to": pick(rng, ["centre", "edge"]),
                },
            },
            "risk_management": {
                "max_position_risk": pick(rng, [0.02, 0.05, 0.5]),
                "max_trade_heat": pick(rng, [0.002, 0.02, 0.02]),
                "max_sector_exposure": pick(rng, [0.1, 0.3, 0.9]),
                "sector_limits": pick(rng, [{}, {}, {"Technology": 0.05}, {"Energy": 0.4, "Tech": 0.02}]),
                "max_unknown_sector_exposure": pick(rng, [None, None, 0.08]),
                "max_correlation_exposure": pick(rng, [0.15, 0.4, 0.9]),
                "max_orders_per_day": pick(rng, [0, 15] + 8 * [500]),
                "max_orders_per_symbol_per_day": pick(rng, [0, 2] + 8 * [10]),
                "reserved_order_fraction": pick(rng, [0.0, 0.2, 0.5]),
                "max_frozen_exposure": 1.0 if calm else pick(rng, [0.0, 0.05, 0.25, 0.25]),
            },
            "signals": {
                "min_confidence": pick(rng, [0.0, 0.0, 0.3]),
                "source_weights": pick(rng, [{}, {}, {"news": 0.0}, {"model": 3.0, "news": 0.5}]),
            },
        }
    )


def _account(rng: Generator, *, calm: bool) -> Account:
    equity = decimal(float(rng.uniform(5_000, 300_000)), 2)
    lost = 1.0 if calm or not chance(rng, 0.1) else float(rng.uniform(1.0, 1.06))
    fallen = 1.0 if calm or not chance(rng, 0.1) else float(rng.uniform(1.0, 1.3))
    multiplier = pick(rng, [Decimal(1), Decimal(2), Decimal(2), Decimal(4)])
    power = float(rng.choice([0.0, 0.05, 1.0, 2.0, 4.0]))
    account = Account(
        id="paper-1",
        equity=equity,
        last_equity=decimal(float(equity) * lost, 2),
        peak_equity=decimal(float(equity) * fallen, 2),
        cash=decimal(float(equity) * float(rng.uniform(-0.5, 1.0)), 2),
        buying_power=decimal(float(equity) * power, 2),
        multiplier=multiplier,
        shorting_enabled=multiplier > 1 and chance(rng, 0.9),
    )
    if calm:
        return account
    if chance(rng, 0.02):
        account = account._replace(restrictions=("trading_blocked",))
    if chance(rng, 0.02):
        account = account._replace(equity=Decimal(0))
    if chance(rng, 0.02):
        account = account._replace(last_equity=Decimal(0))
    if chance(rng, 0.02):
        account = account._replace(peak_equity=Decimal(0))
    return account


def _instrument(rng: Generator, number: int) -> Instrument:
    coin = chance(rng, 0.08)
    return Instrument(
        symbol=f"C{number}/USD" if coin else f"S{number}",
        asset_class="crypto" if coin else "us_equity",
        tradable=not chance(rng, 0.03),
        fractionable=coin or chance(rng, 0.7),
        shortable=not coin and chance(rng, 0.8),
        lot=Decimal("0.0001") if coin else Decimal(1),
        tick=Decimal("0.01"),
        sector=None if coin else pick(rng, SECTORS),
        correlation_group=pick(rng, CLUSTERS),
        volatility=None if chance(rng, 0.1) else round(float(rng.uniform(0.08, 1.2)), 4),
    )


def _price(rng: Generator, instrument: Instrument) -> Decimal:
    if chance(rng, 0.02):
        return decimal(float(rng.uniform(11_000, 60_000)), 2)
    return decimal(float(np.clip(np.exp(rng.normal(4.0, 1.2)), 0.5, 900)), 2)


def _position(
    rng: Generator, instrument: Instrument, price: Decimal, typical: float, account: Account
) -> Position | None:
    if not chance(rng, 0.55):
        return None
    coin = instrument.asset_class == "crypto"
    short = not coin and account.shorting_enabled and chance(rng, 0.25)
    shares = typical * float(rng.exponential(0.6)) / float(price)
    places = 6 if coin or (instrument.fractionable and not short and chance(rng, 0.5)) else 0
    if not coin and not short and chance(rng, 0.03):
        places = 2  # a spin-off leaves a fraction of what is otherwise whole
    qty = decimal(shares, places)
    if qty == 0:
        return None
    available = qty
    if chance(rng, 0.06):
        available = decimal(float(qty) * float(rng.random()), places)
    sign = -1 if short else 1
    return Position(instrument.symbol, qty * sign, available * sign, price * Decimal("0.97"))


def _open_order(
    rng: Generator, instrument: Instrument, price: Decimal, typical: float, position: Position | None
) -> tuple[OpenOrder, Position | None]:
    kind = pick(rng, ["ours", "ours", "foreign", "unknown"])
    held = position.qty if position else Decimal(0)
    if held and chance(rng, 0.5):  # a reduction holds its shares back
        rest = max(abs(held) // 2, min(abs(held), instrument.lot))
        side = "sell" if held > 0 else "buy"
        assert position is not None
        free = max(min(abs(position.qty_available), abs(held) - rest), Decimal(0))
        position = position._replace(qty_available=free.copy_sign(held))
    else:
        rest = max(decimal(typical / float(price), 0), instrument.lot)
        side = "sell" if held < 0 else "buy"
    done = pick(rng, [Decimal(0), Decimal(0), Decimal(3)])
    order = OpenOrder(
        client_order_id=f"o-{instrument.symbol}",
        symbol=instrument.symbol,
        side=side,
        qty=rest + done,
        filled_qty=done,
        type="market",
        ours=kind != "foreign",
        unknown=kind == "unknown",
    )
    return order, position


def _expectation(
    rng: Generator, positions: list[Position], *, calm: bool
) -> tuple[dict[str, Decimal] | None, tuple[Explanation, ...], dict[str, Decimal]]:
    if chance(rng, 0.3):
        return None, (), {}
    expected = {p.symbol: p.qty for p in positions}
    explanations: list[Explanation] = []
    before: dict[str, Decimal] = {}
    for position in positions:
        if not chance(rng, 0.03 if calm else 0.08):
            continue
        expected[position.symbol] += Decimal(2)
        match int(rng.integers(3)):
            case 0:
                kind = pick(rng, ["late_fill", "external_trade", "corporate_action"])
                explanations.append(Explanation(position.symbol, Decimal(-2), kind, "ref-1"))
            case 1:
                before[position.symbol] = position.qty
            case _:
                pass
    return expected, tuple(explanations), before


def _day(rng: Generator, instruments: tuple[Instrument, ...], rules: Rules) -> Day:
    by_symbol = {i.symbol: int(rng.integers(1, 4)) for i in instruments if chance(rng, 0.15)}
    used = sum(by_symbol.values())
    if chance(rng, 0.15):
        used = max(used, rules.risk_management.max_orders_per_day - int(rng.integers(0, 4)))
    return Day(used, by_symbol)
