"""The pure kernel: `plan(snapshot, rules)` decides everything about one cycle and touches nothing.

    reconcile  Book       which positions can be trusted
    admit      Admitted   which signals can be acted upon
    leave      Judgement  whether every position has to go: flat by the close, or flattened after a loss
    aim        Aims       target weights: `weigh` sizes, `bar` forbids, `glide` lowers, `cap` projects onto the caps
    diff       Move       shares to trade, if it is worth it
    select     Move       without what a person has left out
    phase      Phases     reductions first, largest drift first
    fund       Funded     increases cut to room, orders and buying power
    draft      Order      with its computed id
    constrain  Constrained what the rules want and a limit on sending denies
    settle     Verdict    one per signal (also after the orders have ended)

Equal arguments give equal plans, byte for byte, on any machine. Live trading, dry runs, replays, backtests and the
simulation tests all call this one function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from rebalancer.core.decisions import Constrained, Order, Plan, Target
from rebalancer.core.facts import Snapshot, coins
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_near, text_of
from rebalancer.planning.admit import Admitted, Prices, admit, usable_prices
from rebalancer.planning.aim import Aim, Aims, aim
from rebalancer.planning.bar import Bar
from rebalancer.planning.constrain import constrain, constrained_text
from rebalancer.planning.diff import Move, diff
from rebalancer.planning.draft import draft
from rebalancer.planning.fund import Budget, Purse, Turnover, fund
from rebalancer.planning.judge import Judgement, judge
from rebalancer.planning.leave import leave
from rebalancer.planning.measure import measure
from rebalancer.planning.night import night
from rebalancer.planning.phase import Denial, Trade, phase
from rebalancer.planning.pricing import above_value
from rebalancer.planning.reconcile import Book, reconcile
from rebalancer.planning.room import Room
from rebalancer.planning.select import select
from rebalancer.planning.settle import Ending, first_verdicts

__all__ = ["plan", "sentence"]

UNTRADED: Final = frozenset({Outcome.DENIED_RESTRICTED, Outcome.REJECTED_NO_PRICE})


def plan(snapshot: Snapshot, rules: Rules) -> Plan:
    """Decide the whole cycle. Pure and total: every input gives a plan, whose outcome says when there is none."""
    snapshot = night(snapshot, rules)
    book = reconcile(snapshot, rules)
    prices = usable_prices(snapshot, rules.quotes)
    admitted = admit(snapshot, prices, rules)
    staked = snapshot.account.equity - rules.selection.withdraw
    capital = staked * decimal_near(rules.position_sizing.capital_scaling)
    judgement = _doubts(judge(snapshot, rules), snapshot, book, prices, capital, rules)
    if judgement.stop:
        return _stopped(snapshot, book, admitted, judgement, capital)

    instruments = {i.symbol: i for i in snapshot.instruments}
    judgement = leave(judgement, snapshot, book.held, prices.value, rules)
    leaving = Bar(judgement.denied, judgement.because) if judgement.leave and judgement.denied is not None else None
    aims = aim(snapshot, book, prices, admitted, capital, rules, leaving)
    moves = diff(aims.targets, book, prices, instruments, capital, rules)
    if not judgement.leave:
        moves = select(moves, rules.selection)
    room = opening_room(snapshot, book, prices, aims, capital)
    before = room.used()
    phases = phase(moves, book.available, room, rules)
    denied: dict[str, Denial] = dict(phases.denied)
    budget = Budget(snapshot.day, rules)
    reductions = _allowed(phases.reduce, budget, denied)
    after_reduce = room.copy_with((t.symbol, t.qty) for t in reductions)
    # What cannot be closed is not opened on the other side either.
    increases: Sequence[Trade] = [t for t in phases.increase if t.symbol not in denied]
    if judgement.denied is not None:
        denied |= {t.symbol: Denial(judgement.denied, judgement.because) for t in increases}
        increases = []
    released = _released(reductions)
    power, cash = snapshot.account.buying_power + released, snapshot.account.cash + released
    purse = Purse(power, cash, coins(snapshot.instruments), rules)
    turnover = Turnover(reductions, capital, rules.selection)
    funded = fund(increases, prices.ask, after_reduce, purse, budget, turnover, rules)
    denied |= funded.denied

    orders = tuple(
        draft(trade, snapshot.account.id, snapshot.cycle_id, instruments[trade.symbol], prices, rules, leads=place == 0)
        for trades in (reductions, funded.trades)
        for place, trade in enumerate(trades)
    )
    cut = {d.cap for d in denied.values()} | {t.cap for t in funded.trades}
    endings = _endings(moves, orders, denied, book, aims)
    verdicts, unsignalled = first_verdicts(snapshot.signals, admitted, endings, book.held)
    kept_back = constrain(moves, denied)
    outcome, because = _outcome(judgement, orders, kept_back, endings)
    return Plan(
        cycle_id=snapshot.cycle_id,
        outcome=outcome,
        because=because,
        capital=capital,
        targets=tuple(_target(a, m) for a, m in zip(aims.targets, moves, strict=True)),
        orders=orders,
        verdicts=verdicts,
        unsignalled=unsignalled,
        limits=measure(snapshot, aims, before, after_reduce.used(), capital, orders, denied, cut, rules),
        frozen={symbol: f"{why.outcome}: {why.because}" for symbol, why in book.frozen.items()},
        constrained=kept_back,
    )


def opening_room(snapshot: Snapshot, book: Book, prices: Prices, aims: Aims, capital: Decimal) -> Room:
    """The room under every cap as the cycle finds it, with the worst case of all open orders counted."""
    own = {a.symbol: a.own_cap for a in aims.targets}
    above = above_value(snapshot.open_orders, book.worst_case, prices.value)
    return Room(book.worst_case, prices.value, own, aims.groups, capital, above)


def _doubts(
    judged: Judgement, snapshot: Snapshot, book: Book, prices: Prices, capital: Decimal, rules: Rules
) -> Judgement:
    """Halt when too many names have no usable price or too much of the book cannot be trusted."""
    if judged.stop:
        return judged
    known = {i.symbol for i in snapshot.instruments}
    dark = {i.symbol for i in snapshot.instruments if not i.tradable}  # what cannot trade needs no price to trade at
    wanted = ({s.symbol for s in snapshot.signals if s.symbol in known} | set(book.held)) - dark
    missing = [symbol for symbol in wanted if symbol not in prices.usable]
    if wanted and len(missing) > rules.quotes.max_unusable_fraction * len(wanted):
        said = f"{len(missing)} of {len(wanted)} names have no usable price"
        return Judgement(CycleOutcome.HALTED_STALE_QUOTES, said, stop=True)
    doubtful = sum((_doubtful(symbol, snapshot, book, prices) for symbol in book.unexplained), ZERO)
    limit = decimal_near(rules.risk_management.max_frozen_exposure) * capital
    if doubtful > limit:
        said = f"${doubtful:,.0f} of positions do not match the books; the limit is ${limit:,.0f}"
        return Judgement(CycleOutcome.HALTED_UNRECONCILED, said, stop=True)
    unvalued = [symbol for symbol, qty in book.worst_case.items() if qty != 0 and symbol not in prices.value]
    if unvalued and judged.denied is None:
        return Judgement(
            None, f"no price at all for {', '.join(unvalued)}: no cap is known to hold", False, Outcome.DENIED_CAP
        )
    return judged


def _doubtful(symbol: str, snapshot: Snapshot, book: Book, prices: Prices) -> Decimal:
    """The USD in doubt: the larger of what is read and what was expected, at the last known price."""
    expected = (snapshot.expected_positions or {}).get(symbol, ZERO)
    shares = max(abs(book.held.get(symbol, ZERO)), abs(expected))
    return shares * prices.value.get(symbol, ZERO)


def _stopped(snapshot: Snapshot, book: Book, admitted: Admitted, judgement: Judgement, capital: Decimal) -> Plan:
    assert judgement.outcome is not None
    ending = Ending(Outcome.NOT_SENT, judgement.because)
    verdicts, unsignalled = first_verdicts(
        snapshot.signals, admitted, dict.fromkeys({*admitted.signals, *book.held}, ending), book.held
    )
    return Plan(
        cycle_id=snapshot.cycle_id,
        outcome=judgement.outcome,
        because=judgement.because,
        capital=capital,
        targets=(),
        orders=(),
        verdicts=verdicts,
        unsignalled=unsignalled,
        limits=(),
        frozen={symbol: f"{why.outcome}: {why.because}" for symbol, why in book.frozen.items()},
    )


def _allowed(trades: Sequence[Trade], budget: Budget, denied: dict[str, Denial]) -> list[Trade]:
    allowed = []
    for trade in trades:
        refusal = budget.take(trade)
        if refusal is None:
            allowed.append(trade)
        else:
            denied[trade.symbol] = refusal
    return allowed


def _released(reductions: Sequence[Trade]) -> Decimal:
    """The buying power that sales should bring, USD: a long sold at cost of margin and cash brings its value, a short
    bought back at least nothing is counted for."""
    return sum((-t.qty * t.paid for t in reductions if t.qty < 0), ZERO)


def _endings(
    moves: Sequence[Move], orders: Sequence[Order], denied: Mapping[str, Denial], book: Book, aims: Aims
) -> dict[str, Ending]:
    """How each symbol ends in the plan: its orders come before what was denied, that before what was held."""
    endings = {m.symbol: Ending(m.hold, m.because) for m in moves if m.hold is not None}
    endings |= {symbol: Ending(d.outcome, d.because) for symbol, d in denied.items()}
    planned: dict[str, str] = {}
    for order in orders:
        said = f"{order.because}; {text_of(order.qty)} shares to {order.side}"
        planned[order.symbol] = f"{planned[order.symbol]}; {said}" if order.symbol in planned else said
    for symbol, said in planned.items():
        endings[symbol] = Ending(Outcome.PLANNED, f"{said}; {denied[symbol].because}" if symbol in denied else said)
    for symbol in aims.fixed:
        endings[symbol] = Ending(Outcome.REJECTED_NO_PRICE, "held, but it cannot be traded or priced now")
    endings |= {symbol: Ending(f.outcome, f.because) for symbol, f in book.frozen.items()}
    return endings


def _target(a: Aim, m: Move) -> Target:
    return Target(
        symbol=a.symbol,
        raw_weight=a.raw,
        weight=a.weight,
        qty=m.target,
        factors=a.factors,
        score=a.score,
        confidence=a.confidence,
        volatility=a.volatility,
        volatility_scale=a.volatility_scale,
        own_cap=a.own_cap,
        own_cap_name=a.own_cap_name,
        price=m.price,
        held_qty=m.held,
        pending_qty=m.pending,
        held_weight=a.held_weight,
        drift=m.drift,
        band=m.band,
        implied=a.implied,
    )


def _outcome(
    judgement: Judgement, orders: Sequence[Order], kept_back: Constrained | None, endings: Mapping[str, Ending]
) -> tuple[CycleOutcome, str]:
    """How the plan comes out, and why. Positions match what the rules want only if no limit denies a trade to them."""
    if judgement.outcome is not None:
        return judgement.outcome, judgement.because
    said = [judgement.because] if judgement.leave else []
    if orders or kept_back is None:
        said.append(sentence(orders) if orders else _match(endings))
    if kept_back is not None:
        said.append(constrained_text(kept_back))
    if orders:
        return CycleOutcome.COMPLETED, "; ".join(said)
    return CycleOutcome.HOLDING if kept_back is None else CycleOutcome.CONSTRAINED, "; ".join(said)


def _match(endings: Mapping[str, Ending]) -> str:
    """What is not traded for want of trust or of leave may differ from its target, and is named."""
    apart = sorted({e.outcome for e in endings.values() if e.outcome.startswith("FROZEN_") or e.outcome in UNTRADED})
    return "positions match their targets" + (f" but for {', '.join(apart)}" if apart else "")


def sentence(orders: Sequence[Order]) -> str:
    """How many orders there are, by phase."""
    down = sum(1 for o in orders if o.phase == "reduce")
    plural = "" if len(orders) == 1 else "s"
    return f"{len(orders)} order{plural}: {down} reduce, {len(orders) - down} increase"
