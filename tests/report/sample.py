"""A realistic record of one cycle, with every kind of ending in it, and the means to bend it.

One row per symbol stands for its whole history; everything else (targets, orders, verdicts) is derived from the table,
so that the parts of a record cannot contradict each other.
"""

# ruff: noqa: E501 - the tables of this file are read as rows

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from rebalancer.core.decisions import LimitUse, Order, Plan, Target, Verdict
from rebalancer.core.facts import Account, Day, Instrument, Position, Quote, Session, Signal, Snapshot
from rebalancer.core.limits import LimitKind
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.core.values import ZERO, shares_toward_zero
from rebalancer.report.records import OrderLine, Point, ReconciliationLine, RuleChange, RunRecord, Timing

START = datetime(2026, 11, 20, 15, 35, 0, 412000, tzinfo=UTC)
EQUITY = Decimal("97512.34")
CAPITAL = EQUITY * 2
ONE = Decimal(1)


class Story(NamedTuple):
    """One symbol: what is held, what the signal says, what the caps leave of it, and how it ends."""

    symbol: str
    sector: str | None
    price: str
    held: str
    cost: str
    score: float
    confidence: float
    volatility: float | None
    raw: float
    weight: float
    factors: dict[str, float]
    outcome: Outcome
    fill: str = ""
    filled: str = ""  # shares, when not all
    state: OrderState | None = None
    reason: str = ""
    message: str = ""
    because: str = ""
    implied: bool = False
    own_cap: float = 0.15
    own_cap_name: str = "max_position_size"


TECH = {"sector:Technology": 0.82}
GROSS = {"gross": 0.94}
BOTH = TECH | GROSS

STORIES = (
    Story("AAPL", "Technology", "268.44", "45", "231.07", 0.42, 0.80, 0.24, 0.0610, 0.0470, BOTH, Outcome.FILLED, "268.41"),
    Story("AMZN", "Consumer", "219.05", "35", "188.60", 0.66, 0.85, 0.31, 0.0543, 0.0510, GROSS, Outcome.FILLED, "219.11"),
    Story("BRK.B", "Financials", "507.20", "22", "441.90", 0.55, 0.90, 0.16, 0.0610, 0.0573, GROSS, Outcome.HELD_WITHIN_BAND,
          because="drift 0.02 pp is inside the band of 0.29 pp"),
    Story("CAT", "Industrials", "571.85", "0", "0", 0.61, 0.72, 0.27, 0.0488, 0.0459, GROSS, Outcome.PARTLY_FILLED, "572.02",
          "9", OrderState.CANCELED, "timeout", "cancelled after 30 s with 6 shares open"),
    Story("COST", "Staples", "899.10", "8", "912.45", 0.05, 0.60, 0.19, 0.0, 0.0, {}, Outcome.FILLED, "898.96",
          because="neutral signal: |0.05 x 0.60| is below 0.10; position closed"),
    Story("GOOGL", "Communication", "299.66", "41", "201.15", 0.58, 0.83, 0.29, 0.0499, 0.0469, GROSS, Outcome.FILLED, "299.70"),
    Story("JNJ", "Health care", "202.37", "30", "163.22", 0.0, 0.0, 0.17, 0.0311, 0.0311, {}, Outcome.HELD_AT_TARGET,
          because="no signal; unsignalled_positions: hold", implied=True),
    Story("JPM", "Financials", "298.02", "18", "240.40", 0.47, 0.81, 0.22, 0.0520, 0.0489, GROSS, Outcome.REFUSED_BY_BROKER,
          state=OrderState.REFUSED, reason="wash_trade", message="potential wash trade detected. use complex orders"),
    Story("LLY", "Health care", "1059.70", "0", "0", 0.71, 0.88, 0.33, 0.0568, 0.0534, GROSS, Outcome.DENIED_BUYING_POWER,
          state=OrderState.NOT_SENT, reason="buying_power", message="1,204.18 USD left, one share costs 1,059.70 plus reserve"),
    Story("META", "Communication", "594.25", "25", "610.32", -0.22, 0.75, 0.36, 0.0, 0.0, {}, Outcome.FILLED, "593.88",
          because="score -0.22 and shorting is off: target 0; position closed"),
    Story("MSFT", "Technology", "472.12", "30", "402.18", 0.64, 0.87, 0.21, 0.0937, 0.0722, BOTH, Outcome.HELD_BELOW_MINIMUM,
          because="a trade of 84.17 USD is below min_trade_size 100.00"),
    Story("NVDA", "Technology", "178.88", "60", "121.75", 0.71, 0.78, 0.44, 0.0612, 0.0472, BOTH, Outcome.UNKNOWN_AT_BROKER,
          state=OrderState.UNKNOWN, reason="timeout", message="no answer within 30 s; asked three times by client order id"),
    Story("PG", "Staples", "147.90", "0", "0", 0.31, 0.64, 0.15, 0.0298, 0.0280, GROSS, Outcome.FILLED, "147.90"),
    Story("PLTR", "Technology", "154.85", "40", "88.19", 0.30, 0.55, 0.68, 0.0, 0.0, {}, Outcome.FROZEN_UNRECONCILED,
          because="55 shares at the broker, 40 expected, no known cause; adopted when it reads the same again"),
    Story("TSLA", "Consumer", "391.09", "14", "342.80", 0.35, 0.70, 0.58, 0.0189, 0.0178, GROSS, Outcome.FILLED, "390.72",
          own_cap=0.0345, own_cap_name="max_position_risk"),
    Story("UNH", "Health care", "319.97", "12", "489.05", 0.24, 0.66, 0.41, 0.0174, 0.0164, GROSS, Outcome.UNFILLED,
          state=OrderState.CANCELED, reason="timeout", message="cancelled after 30 s, nothing filled"),
    Story("V", "Financials", "327.98", "25", "290.11", 0.52, 0.84, 0.18, 0.0457, 0.0430, GROSS, Outcome.HELD_WITHIN_BAND,
          because="drift -0.10 pp is inside the band of 0.25 pp"),
    Story("XOM", "Energy", "117.08", "70", "109.64", 0.44, 0.77, 0.23, 0.0467, 0.0439, GROSS, Outcome.HELD_WITHIN_BAND,
          because="drift -0.19 pp is inside the band of 0.25 pp"),
)  # fmt: skip

IDLE_SIGNALS = (
    ("s-101", "ABNB", "REJECTED_STALE", "issued 1,464 minutes ago; signals.max_age_minutes is 60"),
    ("s-102", "AAPL", "REJECTED_SUPERSEDED", "momentum has a newer signal, s-001"),
    ("s-103", "SNOW", "REJECTED_LOW_CONFIDENCE", "confidence 0.12 is below 0.20"),
    ("s-104", "ZZZQ", "REJECTED_UNKNOWN_SYMBOL", "the broker does not know this symbol"),
    ("s-105", "GME", "REJECTED_NO_PRICE", "the spread of 7.4% is wider than quotes.max_spread 5.0%"),
    ("s-106", "COIN", "DENIED_SHORT", "score -0.61 and position_sizing.allow_short is false"),
)


def sample_record(stories: tuple[Story, ...] = STORIES, *, mode: str = "paper") -> RunRecord:
    """One whole cycle of a paper account at 10:35 in New York, made from the table."""
    snapshot = _snapshot(stories)
    targets = tuple(_target(s) for s in stories)
    lines = tuple(line for k, s in enumerate(stories) if (line := _line(s, k)) is not None)
    lines = tuple(sorted(lines, key=lambda line: (line.phase == "increase", line.sent_at or START)))
    verdicts = tuple(
        Verdict(f"s-{k:03}", s.symbol, s.outcome, stated(s.because or _because(s)))
        for k, s in enumerate(stories, 1)
        if not s.implied
    ) + tuple(Verdict(i, symbol, Outcome(outcome), stated(said)) for i, symbol, outcome, said in IDLE_SIGNALS)
    unsignalled = tuple(Verdict("", s.symbol, s.outcome, stated(s.because)) for s in stories if s.implied)
    plan = Plan(
        cycle_id=snapshot.cycle_id,
        snapshot_sha256="5f1d" * 16,
        rules_sha256="c0ffee12" * 8,
        outcome=CycleOutcome.COMPLETED,
        because=stated(f"{len(lines)} orders"),
        capital=CAPITAL,
        targets=targets,
        orders=tuple(_order(line, stories) for line in lines),
        verdicts=tuple(v._replace(outcome=Outcome.PLANNED) if v.outcome in _SENT else v for v in verdicts),
        unsignalled=unsignalled,
        limits=_limits(),
        frozen={s.symbol: stated(s.because) for s in stories if s.outcome is Outcome.FROZEN_UNRECONCILED},
    )
    after = tuple(p for s in stories if (p := _position_after(s)) is not None)
    return RunRecord(
        snapshot=snapshot,
        plan=plan,
        orders=lines,
        verdicts=verdicts,
        outcome=CycleOutcome.COMPLETED,
        because=str(plan.because),
        mode=mode,  # type: ignore[arg-type]  # tests also pass modes that do not exist
        account_after=snapshot.account._replace(equity=Decimal("97498.07"), cash=Decimal("8204.18")),
        positions_after=after,
        reconciled=(
            ReconciliationLine("PLTR", "unexplained", "55 shares at the broker, 40 expected, no known cause"),
            ReconciliationLine("XOM", "late_fill", "late fill of 10 shares (2026-11-20T15:30Z increase XOM)"),
            ReconciliationLine("V", "corporate_action", "corporate action of 0 shares (dividend 12.40 USD)"),
        ),
        broker_calls={"account": 2, "positions": 2, "orders": 9, "quotes": 1, "clock": 2, "submit": 10, "cancel": 2},
        timings=(
            Timing("read", 0.84), Timing("plan", 0.021), Timing("reduce", 1.12), Timing("wait", 31.4),
            Timing("fund", 0.31), Timing("increase", 4.0), Timing("look_after", 0.22),
        ),
        version="0.1.0",
        rules_changed={
            "position_sizing.max_position_size": RuleChange(0.15, 0.12),
            "position_sizing.no_trade_band.to": RuleChange("centre", "edge"),
            "broker.account_id": RuleChange(None, "PA3XK81L7Q2"),
        },
        started_at=START,
        ended_at=START + timedelta(seconds=37.95),
        through_the_day=tuple(
            Point(START + timedelta(minutes=5 * n - 65, seconds=30), EQUITY + 31 * n - 4 * n * n, -0.024 - n / 9000) for n in range(14)
        ),
    )  # fmt: skip


def many_stories(count: int) -> tuple[Story, ...]:
    """A wide book: the rows of the table repeated under other names, weights scaled down to fit."""
    shrink = len(STORIES) / count
    return tuple(
        STORIES[k % len(STORIES)]._replace(
            symbol=f"{chr(65 + k // 676 % 26)}{chr(65 + k // 26 % 26)}{chr(65 + k % 26)}Q",
            weight=STORIES[k % len(STORIES)].weight * shrink,
        )
        for k in range(count)
    )


def dry(record: RunRecord) -> RunRecord:
    """The same cycle as a dry run: every order withheld, nothing read afterwards."""
    return record._replace(
        mode="dry_run",
        orders=tuple(
            line._replace(state=OrderState.WITHHELD, filled_qty=ZERO, filled_avg_price=None, funded_qty=line.planned_qty,
                          reason="", message="", sent_at=None, ended_at=None)
            for line in record.orders
        ),
        verdicts=tuple(v._replace(outcome=Outcome.WITHHELD) if v.outcome in _SENT else v for v in record.verdicts),
        account_after=None,
        positions_after=(),
    )  # fmt: skip


_SENT = frozenset({
    Outcome.FILLED, Outcome.PARTLY_FILLED, Outcome.UNFILLED, Outcome.REFUSED_BY_BROKER, Outcome.UNKNOWN_AT_BROKER,
    Outcome.NOT_SENT, Outcome.DENIED_BUYING_POWER,
})  # fmt: skip


def _snapshot(stories: tuple[Story, ...]) -> Snapshot:
    idle = [
        symbol
        for _, symbol, outcome, _ in IDLE_SIGNALS
        if outcome not in ("REJECTED_UNKNOWN_SYMBOL", "REJECTED_SUPERSEDED")
    ]
    cent = Decimal("0.01")
    return Snapshot(
        cycle_id="2026-11-20T15:35Z",
        as_of=START,
        session=Session(True, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, 0, tzinfo=UTC)),
        account=Account(
            id="PA3XK81L7Q2", equity=EQUITY, last_equity=Decimal("96420.10"), peak_equity=Decimal("99870.55"),
            cash=Decimal("11870.44"), buying_power=Decimal("98011.20"), multiplier=Decimal(2), shorting_enabled=True,
        ),
        positions=tuple(Position(s.symbol, Decimal(s.held), Decimal(s.held), Decimal(s.cost)) for s in stories if s.held != "0"),
        instruments=tuple(
            Instrument(s.symbol, "us_equity", True, True, True, ONE, cent, s.sector, None, s.volatility) for s in stories
        ) + tuple(Instrument(symbol, "us_equity", True, True, True, ONE, cent) for symbol in idle),
        quotes=tuple(
            Quote(s.symbol, Decimal(s.price) - cent, Decimal(s.price) + cent, Decimal(s.price), START - timedelta(seconds=1))
            for s in stories
        ),
        signals=tuple(
            Signal(f"s-{k:03}", s.symbol, s.score, s.confidence, "momentum", START - timedelta(seconds=92))
            for k, s in enumerate(stories, 1) if not s.implied
        ) + tuple(Signal(i, symbol, 0.4, 0.5, "momentum", START - timedelta(hours=25)) for i, symbol, _, _ in IDLE_SIGNALS),
        day=Day(12, {"AAPL": 2}),
    )  # fmt: skip


def _target(s: Story) -> Target:
    price, held = Decimal(s.price), Decimal(s.held)
    held_weight = float(held * price / CAPITAL)
    frozen = s.outcome is Outcome.FROZEN_UNRECONCILED
    still = s.implied or frozen or s.outcome is Outcome.HELD_WITHIN_BAND
    weight = held_weight if s.implied or frozen else s.weight
    qty = held if still else shares_toward_zero(Decimal(str(weight)) * CAPITAL / price, ONE)
    return Target(
        s.symbol, s.raw, weight, qty, s.factors, s.score, s.confidence, s.volatility,
        0.0 if s.volatility is None else min(max(0.30 / s.volatility, 0.5), 1.5), s.own_cap, s.own_cap_name, price, held,
        ZERO, held_weight, weight - held_weight, max(0.0025, 0.05 * weight), s.implied,
    )  # fmt: skip


def _line(s: Story, k: int) -> OrderLine | None:
    if s.outcome not in _SENT:
        return None
    target = _target(s)
    change = target.qty - target.held_qty
    planned = abs(change)
    funded = ZERO if s.outcome is Outcome.DENIED_BUYING_POWER else planned
    filled = planned if s.outcome is Outcome.FILLED else Decimal(s.filled or 0)
    phase = "reduce" if abs(target.qty) < abs(target.held_qty) else "increase"
    sent = (
        None
        if s.state is OrderState.NOT_SENT
        else START + timedelta(seconds=(1.1 if phase == "reduce" else 6.2) + k * 0.2)
    )
    return OrderLine(
        client_order_id=f"rb-7q2-20261120T1535Z-{phase[0]}-{s.symbol}-1",
        phase=phase,
        symbol=s.symbol,
        side="buy" if change > 0 else "sell",
        planned_qty=planned,
        funded_qty=funded,
        filled_qty=filled,
        filled_avg_price=Decimal(s.fill) if filled else None,
        state=s.state or OrderState.FILLED,
        arrival_price=target.price,
        reason=s.reason,
        message=s.message,
        sent_at=sent,
        ended_at=None if sent is None or s.state is OrderState.UNKNOWN else sent + timedelta(seconds=1.3),
    )  # fmt: skip


def _order(line: OrderLine, stories: tuple[Story, ...]) -> Order:
    history = next(s for s in stories if s.symbol == line.symbol)
    target = _target(history)
    opening = "open" if line.phase == "increase" else "close"
    return Order(
        line.client_order_id, line.phase, line.symbol, line.side, line.planned_qty, line.planned_qty * line.arrival_price,
        "market", None, "day", f"{line.side}_to_{opening}", line.arrival_price, ZERO, abs(target.drift),
        stated(history.because or _because(history)),
    )  # fmt: skip


def _because(s: Story) -> str:
    target = _target(s)
    caps = ", ".join(f"{name.replace(':', ' ')} x {factor:g}" for name, factor in s.factors.items())
    way = "up" if target.drift > 0 else "down"
    return f"weight {way} from {target.held_weight:.2%} to {target.weight:.2%}; {caps or 'no cap binds'}"


def _position_after(s: Story) -> Position | None:
    line = _line(s, 0)
    held = Decimal(s.held)
    if line is not None:
        held += line.filled_qty if line.side == "buy" else -line.filled_qty
    cost = Decimal(s.cost) or Decimal(s.fill or s.price)
    return Position(s.symbol, held, held, cost) if held else None


def _limits() -> tuple[LimitUse, ...]:
    return (
        LimitUse("gross", 0.8, 0.6312, 0.6649, False, LimitKind.WEIGHT),
        LimitUse("sector:Technology", 0.20, 0.2213, 0.20, True, LimitKind.WEIGHT),
        LimitUse("sector:Financials", 0.3, 0.1266, 0.1492, False, LimitKind.WEIGHT),
        LimitUse("sector:Health care", 0.3, 0.0508, 0.1009, False, LimitKind.WEIGHT),
        LimitUse("correlation:g1", 0.4, 0.2213, 0.2000, False, LimitKind.WEIGHT),
        LimitUse("daily_loss", 0.02, 0.0, 0.0, False, LimitKind.LOSS),
        LimitUse("drawdown", 0.10, 0.0236, 0.0236, False, LimitKind.LOSS),
        LimitUse("orders_per_execution", 12, 0, 12, True, LimitKind.ORDERS),
        LimitUse("orders_per_day", 100, 12, 24, False, LimitKind.ORDERS),
    )
