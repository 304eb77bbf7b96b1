"""Planning: `plan(snapshot, rules)` makes every decision of one cycle, without side effects.

    reconcile              ReconciledBook     positions, and which symbols are frozen
    validate_signals       ValidSignals       signals that can be acted upon
    trading_halt           HaltDecision       whether this cycle may trade at all
    liquidation            HaltDecision       whether to close every position: flat by the close, or after a loss
    to_columns             Columns            facts and rules as columns of integers
    core.decide            Decision           the numeric core: targets, trades, phases, funding, and a code a name
    records                Order, Target      with ids and decimals; every cap is checked once more (else HALTED_PLAN)
    explain                Reasons            the codes in words, when somebody asks
    verdicts               Verdict            one per signal (updated when the orders have ended)
    hold_within_drift      Plan               nothing is sent while no name is far off (execution.schedule: drift)

It imports `core` and no other package of the project. Equal arguments give equal plans, byte for byte, on any machine.
Live trading, dry runs, replays, backtests and the simulation tests all call this function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from rebalancer.core.decisions import Constrained, Order, Plan
from rebalancer.core.facts import Signal, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import NOTHING, Reason, ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning.constrain import constrain, trades_denied
from rebalancer.planning.cool_off import cool_off
from rebalancer.planning.core import codes
from rebalancer.planning.core.decide import decide
from rebalancer.planning.decided import Decided
from rebalancer.planning.drift_schedule import hold_within_drift
from rebalancer.planning.explain import denial_reasons, hold_reasons
from rebalancer.planning.limit_usage import limit_usage
from rebalancer.planning.liquidation import decide_liquidation
from rebalancer.planning.reconcile import ReconciledBook, reconcile
from rebalancer.planning.records import CapExceeded, orders_of, refuse_exceeded_caps, targets_of
from rebalancer.planning.to_columns import OutOfRange, to_columns
from rebalancer.planning.trading_halt import HaltDecision, check_trading_halt
from rebalancer.planning.trading_hours import within_trading_hours
from rebalancer.planning.validate_signals import Prices, ValidSignals, usable_prices, validate_signals
from rebalancer.planning.verdicts import SymbolOutcome, first_verdicts

__all__ = ["plan"]

UNTRADED: Final = frozenset({Outcome.DENIED_RESTRICTED, Outcome.REJECTED_NO_PRICE})


def plan(snapshot: Snapshot, rules: Rules, book: ReconciledBook | None = None) -> Plan:
    """Plan the whole cycle. Pure and total: every input gives a plan; its outcome says when trading is halted.

    book: `reconcile(snapshot)`, where it is known already.
    """
    snapshot = within_trading_hours(snapshot, rules)
    book = reconcile(snapshot) if book is None else book
    prices = usable_prices(snapshot, rules.quotes)
    valid_signals = validate_signals(snapshot, prices, rules)
    staked = snapshot.account.equity - rules.selection.withdraw
    capital = staked * decimal_near(rules.position_sizing.capital_scaling)
    halt = _doubts(check_trading_halt(snapshot, rules), snapshot, book, prices, capital, rules)
    if halt.stop:
        return _stopped(snapshot, book, valid_signals, halt, capital)

    halt = decide_liquidation(halt, snapshot, book.held, prices.value, rules)
    try:
        decided = decide_cycle(snapshot, rules, book, prices, valid_signals.signals, halt, capital)
        orders = orders_of(decided)
        refuse_exceeded_caps(decided, orders)
    except OutOfRange as error:
        why = because(ReasonCode.OUT_OF_RANGE, text=str(error))
        halt = HaltDecision(CycleOutcome.HALTED_ACCOUNT, why, stop=True)
        return _stopped(snapshot, book, valid_signals, halt, capital)
    except CapExceeded as error:
        why = because(ReasonCode.PLAN_EXCEEDS_CAP, text=str(error))
        halt = HaltDecision(CycleOutcome.HALTED_PLAN, why, stop=True)
        return _stopped(snapshot, book, valid_signals, halt, capital)
    endings = _endings(decided, orders)
    verdicts, unsignalled = first_verdicts(snapshot.signals, valid_signals, endings, book.held)
    kept_back = constrain(decided)
    outcome, why = _outcome(halt, orders, kept_back, endings)
    planned = Plan(
        cycle_id=snapshot.cycle_id,
        outcome=outcome,
        because=why,
        capital=capital,
        targets=targets_of(decided),
        orders=orders,
        verdicts=verdicts,
        unsignalled=unsignalled,
        limits=limit_usage(decided, orders),
        frozen=_frozen(book),
        constrained=kept_back,
    )
    return planned if halt.leave else hold_within_drift(planned, rules)


def decide_cycle(
    snapshot: Snapshot,
    rules: Rules,
    book: ReconciledBook,
    prices: Prices,
    signals: Mapping[str, tuple[Signal, ...]],
    halt: HaltDecision,
    capital: Decimal,
) -> Decided:
    """Decide with the numeric core. Raises OutOfRange (a ValueError) for what it cannot hold."""
    cooling = cool_off(snapshot, signals, rules)
    columns = to_columns(
        snapshot, book, prices, signals, cooling.keys(), capital, rules,
        denies=halt.denied is not None, leaves=halt.leave,
    )  # fmt: skip
    decision = decide(columns.names, columns.signals, columns.limits, columns.numbers, columns.funds)
    return Decided(snapshot, rules, book, prices, signals, cooling, halt, columns, decision)


def _doubts(
    halt: HaltDecision, snapshot: Snapshot, book: ReconciledBook, prices: Prices, capital: Decimal, rules: Rules
) -> HaltDecision:
    """Halt when too many names have no usable price or too much value is unreconciled; deny increases when a position
    has no price at all."""
    if halt.stop:
        return halt
    known = {i.symbol for i in snapshot.instruments}
    dark = {i.symbol for i in snapshot.instruments if not i.tradable}  # untradable names need no price
    wanted = ({s.symbol for s in snapshot.signals if s.symbol in known} | set(book.held)) - dark
    missing = [symbol for symbol in wanted if symbol not in prices.usable]
    if wanted and len(missing) > rules.quotes.max_unusable_fraction * len(wanted):
        why = because(ReasonCode.PRICES_MISSING, missing=len(missing), names=len(wanted))
        return HaltDecision(CycleOutcome.HALTED_STALE_QUOTES, why, stop=True)
    doubtful = sum((_doubtful(symbol, snapshot, book, prices) for symbol in book.unexplained), ZERO)
    limit = decimal_near(rules.risk_management.max_frozen_exposure) * capital
    if doubtful > limit:
        why = because(ReasonCode.POSITIONS_DOUBTFUL, value=doubtful, limit=limit)
        return HaltDecision(CycleOutcome.HALTED_UNRECONCILED, why, stop=True)
    unvalued = [symbol for symbol, qty in book.worst_case.items() if qty != 0 and symbol not in prices.value]
    if unvalued and halt.denied is None:
        return HaltDecision(None, because(ReasonCode.POSITIONS_UNVALUED, symbols=unvalued), False, Outcome.DENIED_CAP)
    return halt


def _doubtful(symbol: str, snapshot: Snapshot, book: ReconciledBook, prices: Prices) -> Decimal:
    """The USD value in doubt: the larger of the reported and the expected position, at the last known price."""
    expected = (snapshot.expected_positions or {}).get(symbol, ZERO)
    shares = max(abs(book.held.get(symbol, ZERO)), abs(expected))
    return shares * prices.value.get(symbol, ZERO)


def _stopped(
    snapshot: Snapshot, book: ReconciledBook, valid_signals: ValidSignals, halt: HaltDecision, capital: Decimal
) -> Plan:
    assert halt.outcome is not None
    ending = SymbolOutcome(Outcome.NOT_SENT, halt.because)
    verdicts, unsignalled = first_verdicts(
        snapshot.signals, valid_signals, dict.fromkeys({*valid_signals.signals, *book.held}, ending), book.held
    )
    return Plan(
        cycle_id=snapshot.cycle_id,
        outcome=halt.outcome,
        because=halt.because,
        capital=capital,
        targets=(),
        orders=(),
        verdicts=verdicts,
        unsignalled=unsignalled,
        limits=(),
        frozen=_frozen(book),
    )


def _frozen(book: ReconciledBook) -> dict[str, Reasons]:
    return {s: because(ReasonCode.FROZEN, outcome=why.outcome, why=why.because) for s, why in book.frozen.items()}


def _endings(d: Decided, orders: Sequence[Order]) -> dict[str, SymbolOutcome]:
    """The outcome of each symbol in the plan. Frozen or untradable wins over planned, planned over denied, denied over
    held."""
    planned: dict[str, list[Order]] = {}
    for order in orders:
        planned.setdefault(order.symbol, []).append(order)
    endings: dict[str, SymbolOutcome] = {}
    for i, symbol in enumerate(d.columns.symbols):
        held, denied = d.hold(i), d.denied(i)
        if symbol in d.book.frozen:
            endings[symbol] = SymbolOutcome(*d.book.frozen[symbol])
        elif d.decision.targets.state[i] == codes.FIXED:
            endings[symbol] = SymbolOutcome(Outcome.REJECTED_NO_PRICE, because(ReasonCode.UNTRADABLE))
        elif symbol in planned:
            endings[symbol] = SymbolOutcome(Outcome.PLANNED, Reasons.later(_planned, tuple(planned[symbol]), d, i))
        elif denied is not None:
            endings[symbol] = SymbolOutcome(denied, Reasons.later(denial_reasons, d, d.decision.orders, i))
        else:
            assert held is not None, f"{symbol}: no order, no denial and no reason to hold"
            endings[symbol] = SymbolOutcome(held, Reasons.later(hold_reasons, d, i))
    return endings


def _planned(orders: Sequence[Order], d: Decided, i: int) -> list[Reason]:
    """The reasons for the orders of one symbol, each told once, with their quantities; and why there is no other."""
    found: list[Reason] = []
    for order in orders:
        found += [reason for reason in order.because if reason not in found]
        found += because(ReasonCode.SHARES, qty=order.qty, side=order.side)
    return found if d.denied(i) is None else [*found, *denial_reasons(d, d.decision.orders, i)]


def _outcome(
    halt: HaltDecision, orders: Sequence[Order], kept_back: Constrained | None, endings: Mapping[str, SymbolOutcome]
) -> tuple[CycleOutcome, Reasons]:
    """The outcome of the plan, and why. It is HOLDING only if no execution limit denies a wanted trade."""
    if halt.outcome is not None:
        return halt.outcome, halt.because
    why = halt.because if halt.leave else NOTHING
    if orders or kept_back is None:
        why = why.plus(_counted(orders) if orders else _match(endings))
    if kept_back is not None:
        why = why.plus(trades_denied(kept_back))
    if orders:
        return CycleOutcome.COMPLETED, why
    return CycleOutcome.HOLDING if kept_back is None else CycleOutcome.CONSTRAINED, why


def _match(endings: Mapping[str, SymbolOutcome]) -> Reasons:
    """State that positions match their targets, naming the outcomes of frozen or untraded symbols, which may not, and
    counting those that are off by too little to trade."""
    found = [e.outcome for e in endings.values()]
    apart = sorted({one for one in found if one.startswith("FROZEN_") or one in UNTRADED})
    why = because(ReasonCode.AT_TARGETS_BUT, outcomes=apart) if apart else because(ReasonCode.AT_TARGETS)
    small = found.count(Outcome.HELD_BELOW_MINIMUM)
    return why.plus(because(ReasonCode.OFF_BUT_SMALL, names=small)) if small else why


def _counted(orders: Sequence[Order]) -> Reasons:
    """The number of orders, by phase."""
    down = sum(1 for o in orders if o.phase == "reduce")
    return because(ReasonCode.ORDERS, orders=len(orders), reduce=down, increase=len(orders) - down)
