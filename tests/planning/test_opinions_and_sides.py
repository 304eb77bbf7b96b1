"""What an opinion may lead to and which way orders go, over worlds in which every odd thing is common.

Beside the random worlds of the other laws these have holds, sources without confidence, several orders of ours on a
symbol, two thresholds and symbols that do not look like what they are.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import OpenOrder, Signal, coins
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import ReasonCode
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from tests.planning.checker import reserved
from tests.planning.opinions import chance, pick
from tests.planning.worlds import World, limited, world

ZERO = Decimal(0)
SEEDS = st.integers(0, 2**32 - 1)


def odd(seed: int) -> World:
    """The world of a seed, made odder."""
    snapshot, rules = limited(world(seed, calm=seed % 3 > 0), seed)
    rng = np.random.default_rng([seed, 2])
    names = {
        i.symbol: f"{i.symbol.removesuffix('/USD')}{pick(rng, ['', '', '-USD', '/USD'])}" for i in snapshot.instruments
    }

    told = [signal._replace(symbol=names.get(signal.symbol, signal.symbol)) for signal in snapshot.signals]
    for place, signal in enumerate(told):
        match int(rng.integers(6)):
            case 0:
                told[place] = signal._replace(score=0.0, hold=True)
            case 1:
                told[place] = signal._replace(confidence=0.0)
            case 2:
                told[place] = signal._replace(score=0.0)
    short = {p.symbol for p in snapshot.positions if p.qty < 0}
    turned = {i.symbol for i in snapshot.instruments if chance(rng, 0.3)} - short
    orders = [order._replace(symbol=names.get(order.symbol, order.symbol)) for order in snapshot.open_orders]
    for position in snapshot.positions:
        if chance(rng, 0.25):
            side = pick(rng, ["buy", "sell"])
            orders.append(
                OpenOrder(f"x-{position.symbol}", names[position.symbol], side, Decimal(3), ZERO, "market", ours=True)
            )
    document = rules.model_dump(mode="json")
    threshold = rules.execution.signal_threshold
    document["execution"] |= {"exit_threshold": pick(rng, [None, 0.0, threshold / 2])}
    return World(
        snapshot._replace(
            instruments=tuple(
                i._replace(symbol=names[i.symbol], asset_class="crypto" if i.symbol in turned else i.asset_class)
                for i in snapshot.instruments
            ),
            quotes=tuple(q._replace(symbol=names[q.symbol]) for q in snapshot.quotes),
            positions=tuple(p._replace(symbol=names[p.symbol]) for p in snapshot.positions),
            signals=tuple(told),
            open_orders=tuple(orders),
            expected_positions=None,
        ),
        Rules.model_validate(document),
    )


def heard(found: World, decided: Plan) -> dict[str, list[Signal]]:
    """The signals of each symbol that count: neither turned away nor of a source without a weight."""
    weights = found.rules.signals.source_weights
    counted: dict[str, list[Signal]] = {}
    for signal, verdict in zip(found.snapshot.signals, decided.verdicts, strict=True):
        turned_away = verdict.outcome.startswith("REJECTED_") or verdict.outcome is Outcome.DENIED_STOPPED_OUT
        if not turned_away and weights.get(signal.source, 1.0) > 0:
            counted.setdefault(signal.symbol, []).append(signal)
    return counted


def broken(found: World) -> list[str]:
    """Every law that the plan of a world breaks."""
    snapshot, rules = found
    decided = plan(snapshot, rules)
    opinions = heard(found, decided)
    said: list[str] = []
    for order in decided.orders:
        beside = [o for o in decided.orders if o.symbol == order.symbol and o.side != order.side]
        against = [o for o in snapshot.open_orders if o.symbol == order.symbol and o.side != order.side and o.remaining]
        if beside or against:
            said.append(f"{order.symbol}: {order.side} {order.qty} against {beside or against}")
        if order.phase == "increase":
            speaking = [s for s in opinions.get(order.symbol, []) if not s.hold]
            if not any(s.confidence > 0 and s.score for s in speaking):
                said.append(f"{order.symbol}: opened or enlarged without an opinion: {opinions.get(order.symbol)}")
            strength = sum(s.score * s.confidence * rules.signals.source_weights.get(s.source, 1.0) for s in speaking)
            weight = sum(rules.signals.source_weights.get(s.source, 1.0) for s in speaking)
            if abs(strength) < (rules.execution.signal_threshold - 1e-9) * weight:
                said.append(f"{order.symbol}: opened or enlarged by {strength / weight}")
    sold = sum((o.qty * o.price for o in decided.orders if o.phase == "reduce" and o.side == "sell"), ZERO)
    opening = [o for o in decided.orders if o.phase == "increase"]
    total, crypto = reserved(opening, snapshot.quotes, coins(snapshot.instruments))
    account = snapshot.account
    if crypto > max(account.cash + sold, ZERO) or total > max(account.buying_power + sold, ZERO):
        said.append(f"reserve {total} of {account.buying_power} + {sold}, crypto {crypto} of {account.cash}")
    kept = {t.symbol: t for t in decided.targets if t.implied}
    for symbol, signals in opinions.items():
        if all(s.hold for s in signals) and symbol in kept and abs(kept[symbol].weight) > abs(kept[symbol].raw_weight):
            said.append(f"{symbol}: a hold asks for more")
    return said


@settings(max_examples=250, deadline=None)
@given(SEEDS)
@example(7)
def test_orders_go_one_way_and_only_an_opinion_opens(seed: int) -> None:
    assert broken(odd(seed)) == []


def test_these_worlds_are_odd_enough() -> None:
    """Holds, kept positions, both-sided orders and purchases of crypto do occur."""
    seen = {"hold": 0, "kept": 0, "flat": 0, "sides": 0, "crypto": 0, "unsure": 0}
    for seed in range(250):
        found = odd(seed)
        decided = plan(*found)
        pairs = coins(found.snapshot.instruments)
        said = [v.because for v in decided.verdicts]
        seen["hold"] += any(why.has(ReasonCode.SAYS_HOLD) for why in said)
        seen["kept"] += any(why.has(ReasonCode.BETWEEN_THRESHOLDS) for why in said)
        seen["flat"] += any(why.has(ReasonCode.SCORE_ZERO) for why in said)
        seen["unsure"] += any(why.has(ReasonCode.CONFIDENCE_ZERO) for why in said)
        seen["sides"] += any("until one side ends" in str(why) for why in decided.frozen.values())
        seen["crypto"] += any(o.symbol in pairs and o.phase == "increase" for o in decided.orders)
    assert min(seen.values()) > 2, seen
