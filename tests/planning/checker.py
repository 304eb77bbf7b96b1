"""The caps and reserves of the design, written down a second time and without looking at `rebalancer.planning`.

Everything is in exact USD at decision prices. A position counts with the worst that all open orders of anybody can
still do to it, on each side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from decimal import Decimal

from rebalancer.core.decisions import Order, Plan
from rebalancer.core.facts import Instrument, Quote, Signal, Snapshot
from rebalancer.core.rules import Rules

ZERO = Decimal(0)
DUST = Decimal("0.000001")  # USD; own caps are quotients of floats


def exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def decision_prices(snapshot: Snapshot) -> dict[str, Decimal]:
    """The middle of the quote; in these worlds the last trade is always there."""
    prices = {p.symbol: p.avg_entry_price for p in snapshot.positions}
    for quote in snapshot.quotes:
        known = quote.last or quote.ask or quote.bid
        if known is not None:
            prices[quote.symbol] = known
    return prices


class Exposure:
    """Positions while orders fill, and every cap on them."""

    def __init__(self, snapshot: Snapshot, rules: Rules, plan: Plan) -> None:
        self.rules = rules
        self.left = snapshot.session.close - snapshot.as_of
        self.capital = snapshot.account.equity * exact(rules.position_sizing.capital_scaling)
        self.prices = decision_prices(snapshot)
        self.instruments = {i.symbol: i for i in snapshot.instruments}
        self.low: dict[str, Decimal] = {p.symbol: p.qty for p in snapshot.positions}
        self.high = dict(self.low)
        for order in snapshot.open_orders:
            rest = max(order.qty - order.filled_qty, ZERO)
            side, sign = (self.high, 1) if order.side == "buy" else (self.low, -1)
            side[order.symbol] = side.get(order.symbol, ZERO) + sign * rest
        admitted = [
            signal
            for signal, verdict in zip(snapshot.signals, plan.verdicts, strict=True)
            if not verdict.outcome.startswith("REJECTED_")
        ]
        self.signals: dict[str, list[Signal]] = {}
        for signal in sorted(admitted, key=lambda s: (s.issued_at, s.source, s.id), reverse=True):
            self.signals.setdefault(signal.symbol, []).append(signal)

    def fill(self, symbol: str, qty: Decimal) -> None:
        """Book signed shares."""
        for side in (self.low, self.high):
            side[symbol] = side.get(symbol, ZERO) + qty

    def used(self) -> dict[str, Decimal]:
        """USD per cap."""
        found: dict[str, Decimal] = {"gross": ZERO, "long": ZERO, "short": ZERO}
        for symbol in sorted({*self.low, *self.high}):
            price = self.prices.get(symbol, ZERO)
            longest = max(self.high.get(symbol, ZERO), ZERO) * price
            shortest = max(-self.low.get(symbol, ZERO), ZERO) * price
            largest = max(longest, shortest)
            instrument = self.instruments.get(symbol)
            sector = (instrument.sector if instrument else None) or "unknown"
            cluster = (instrument.correlation_group if instrument else None) or "unknown"
            for name in ("gross", f"sector:{sector}", f"correlation:{cluster}"):
                found[name] = found.get(name, ZERO) + largest
            found["long"] += longest
            found["short"] += shortest
            found[f"name:{symbol}"] = largest
        return found

    def limit(self, name: str) -> Decimal:
        """USD that a cap allows; infinite where there is none."""
        sizing, risk = self.rules.position_sizing, self.rules.risk_management
        kind, _, label = name.partition(":")
        match kind:
            case "gross":
                return min(exact(sizing.max_total_exposure) * self.capital, self._before_the_close())
            case "long" | "short":
                own = sizing.max_long_exposure if kind == "long" else sizing.max_short_exposure
                return Decimal("Infinity") if own is None else exact(own) * self.capital
            case "correlation":
                return exact(risk.max_correlation_exposure) * self.capital
            case "sector":
                share = risk.sector_limits.get(label, risk.max_sector_exposure)
                if label == "unknown":
                    tightest = min(risk.max_sector_exposure, *risk.sector_limits.values(), 1.0)
                    given = risk.max_unknown_sector_exposure
                    share = tightest if given is None else given
                return exact(share) * self.capital
            case _:
                return self._own_limit(label) + DUST

    def _before_the_close(self) -> Decimal:
        """USD that all positions may be worth until the next cycle, on the line down to the overnight limit."""
        risk, sizing = self.rules.risk_management, self.rules.position_sizing
        low = exact(risk.max_overnight_leverage) * self.capital / exact(sizing.capital_scaling)
        high = exact(sizing.max_total_exposure) * self.capital
        if risk.overnight_glide_minutes == 0:
            return low + DUST
        minutes = exact(self.left.total_seconds()) / 60 - self.rules.execution.interval_minutes
        share = min(max(minutes / risk.overnight_glide_minutes, ZERO), Decimal(1))
        return low + (high - low) * share + DUST

    def _own_limit(self, symbol: str) -> Decimal:
        """Position size, position risk (weight x volatility) and heat (loss at the stop, of equity)."""
        sizing, risk = self.rules.position_sizing, self.rules.risk_management
        instrument = self.instruments.get(symbol)
        volatility = (instrument.volatility if instrument else None) or risk.assumed_volatility
        price = self.prices.get(symbol, ZERO)
        up = self.high.get(symbol, ZERO) > 0
        distance = exact(risk.default_stop_distance)
        for signal in self.signals.get(symbol, []):
            if signal.stop_price is not None and (signal.stop_price < price) == up and signal.stop_price != price:
                distance = abs(price - signal.stop_price) / price
                break
        equity = self.capital / exact(sizing.capital_scaling)
        return min(
            exact(sizing.max_position_size) * self.capital,
            exact(risk.max_position_risk) / exact(volatility) * self.capital,
            exact(risk.max_trade_heat) * equity / distance,
        )


def broken(before: Mapping[str, Decimal], now: Mapping[str, Decimal], exposure: Exposure) -> list[str]:
    """The caps that are above their limit and grew."""
    return [
        f"{name}: {before.get(name, ZERO)} -> {used}, limit {exposure.limit(name)}"
        for name, used in now.items()
        if used > before.get(name, ZERO) and used > exposure.limit(name)
    ]


def reserved(orders: Sequence[Order], quotes: Sequence[Quote], pairs: Set[str]) -> tuple[Decimal, Decimal]:
    """The buying power that the broker sets aside for these opening orders, USD: in all, and for coins alone."""
    asks = {q.symbol: q.ask for q in quotes}
    total = coins = ZERO
    for order in orders:
        ask = asks[order.symbol]
        assert ask is not None
        if order.symbol in pairs:
            each = ask * Decimal("1.02")
        elif order.side == "sell":
            each = ask * Decimal("1.04")
        else:
            each = ask * (Decimal("1.04") if ask < 50 else Decimal("1.025"))
        if order.limit_price is not None and order.side == "buy":
            each = max(each, order.limit_price)
        total += each * order.qty
        coins += each * order.qty if order.symbol in pairs else ZERO
    return total, coins


def lots(instrument: Instrument, order: Order, rules: Rules) -> Decimal:
    """What an order's quantity must be a multiple of."""
    if instrument.asset_class == "crypto":
        return instrument.lot
    if order.phase == "reduce":
        return Decimal("0.000001") if instrument.fractionable else instrument.lot
    fractions = instrument.fractionable and rules.position_sizing.fractional and order.side == "buy"
    return Decimal("0.000001") if fractions else max(instrument.lot, Decimal(1))
