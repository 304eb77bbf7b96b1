"""Planning: `plan(snapshot, rules)` makes every decision of one cycle, without side effects.

    reconcile              ReconciledBook     positions, and which symbols are frozen
    validate_signals       ValidSignals       signals that can be acted upon
    trading_halt           HaltDecision       whether this cycle may trade at all
    liquidation            HaltDecision       whether to close every position: flat by the close, or after a loss
    construct_targets      ProposedTargets    target weights: sized, restricted, and projected onto the caps
    compute_trades         TradeProposal      shares to trade, where it is worth trading
    overrides              TradeProposal      without what the user has excluded
    phase                  Phases             reductions first, largest drift first
    fit_to_buying_power    FittedIncreases    increases cut to headroom, orders and buying power
    build_order            Order              with its deterministic id
    verdicts               Verdict            one per signal (updated when the orders have ended)

It imports `core` and no other package of the project. Equal arguments give equal plans, byte for byte, on any machine.
Live trading, dry runs, replays, backtests and the simulation tests all call this function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from rebalancer.core.decisions import Constrained, Order, Plan, Target
from rebalancer.core.facts import Snapshot, coins
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import NOTHING, Reason, ReasonCode, Reasons, because
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, decimal_near
from rebalancer.planning.liquidation import decide_liquidation
from rebalancer.planning.reconcile import ReconciledBook, reconcile
from rebalancer.planning.trading_halt import HaltDecision, check_trading_halt
from rebalancer.planning.trading_hours import within_trading_hours
from rebalancer.planning.validate_signals import Prices, ValidSignals, usable_prices, validate_signals
from rebalancer.planning.verdicts import SymbolOutcome, first_verdicts
from tests.planning.oracle.build_order import build_order
from tests.planning.oracle.compute_trades import TradeProposal, compute_trades
from tests.planning.oracle.constrain import constrain, trades_denied
from tests.planning.oracle.construct_targets import ProposedTarget, ProposedTargets, construct_targets
from tests.planning.oracle.entry_restrictions import EntryRestriction
from tests.planning.oracle.fit_to_buying_power import Budget, BuyingPower, Turnover, fit_to_buying_power
from tests.planning.oracle.limit_book import LimitBook
from tests.planning.oracle.limit_usage import limit_usage
from tests.planning.oracle.overrides import apply_overrides
from tests.planning.oracle.phase import Denial, Trade, assign_phases

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

    instruments = {i.symbol: i for i in snapshot.instruments}
    halt = decide_liquidation(halt, snapshot, book.held, prices.value, rules)
    liquidation = EntryRestriction(halt.denied, halt.because) if halt.leave and halt.denied is not None else None
    proposed = construct_targets(snapshot, book, prices, valid_signals, capital, rules, liquidation)
    proposals = compute_trades(proposed.targets, book, prices, instruments, capital, rules, snapshot.trading_costs)
    if not halt.leave:
        proposals = apply_overrides(proposals, rules.selection)
    own_caps = {a.symbol: a.own_cap for a in proposed.targets}
    limits = LimitBook.opened(snapshot, book, prices, own_caps, proposed.groups, capital)
    phases = assign_phases(proposals, book.available, limits, rules)
    denied: dict[str, Denial] = dict(phases.denied)
    budget = Budget(snapshot.day, rules)
    reductions = _allowed(phases.reduce, budget, denied)
    limits_after = limits.copy_with((t.symbol, t.qty) for t in reductions)
    # If a closing trade is denied, the opposite position is not opened either.
    increases: Sequence[Trade] = [t for t in phases.increase if t.symbol not in denied]
    if halt.denied is not None:
        denied |= {t.symbol: Denial(halt.denied, halt.because) for t in increases}
        increases = []
    released = _released(reductions)
    power, cash = snapshot.account.buying_power + released, snapshot.account.cash + released
    buying_power = BuyingPower(power, cash, coins(snapshot.instruments), rules)
    turnover = Turnover(reductions, capital, rules.selection)
    funded = fit_to_buying_power(increases, prices, limits_after, buying_power, budget, turnover, rules)
    denied |= funded.denied

    orders = tuple(
        build_order(
            trade, snapshot.account.id, snapshot.cycle_id, instruments[trade.symbol], prices, rules, leads=place == 0
        )
        for trades in (reductions, funded.trades)
        for place, trade in enumerate(trades)
    )
    cut = {d.cap for d in denied.values()} | {t.cap for t in funded.trades}
    endings = _endings(proposals, orders, denied, book, proposed)
    verdicts, unsignalled = first_verdicts(snapshot.signals, valid_signals, endings, book.held)
    kept_back = constrain(proposals, denied)
    outcome, why = _outcome(halt, orders, kept_back, endings)
    return Plan(
        cycle_id=snapshot.cycle_id,
        outcome=outcome,
        because=why,
        capital=capital,
        targets=tuple(_target(a, m) for a, m in zip(proposed.targets, proposals, strict=True)),
        orders=orders,
        verdicts=verdicts,
        unsignalled=unsignalled,
        limits=limit_usage(snapshot, proposed, limits, limits_after, orders, denied, cut, rules),
        frozen=_frozen(book),
        constrained=kept_back,
    )


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
    """The buying power that reductions should release, USD: the value of longs sold. Nothing is counted for shorts
    bought back, to be conservative."""
    return sum((-t.qty * t.paid for t in reductions if t.qty < 0), ZERO)


def _endings(
    proposals: Sequence[TradeProposal],
    orders: Sequence[Order],
    denied: Mapping[str, Denial],
    book: ReconciledBook,
    proposed: ProposedTargets,
) -> dict[str, SymbolOutcome]:
    """The outcome of each symbol in the plan. Frozen or untradable wins over planned, planned over denied, denied over
    held."""
    endings = {m.symbol: SymbolOutcome(m.hold, m.because) for m in proposals if m.hold is not None}
    endings |= {symbol: SymbolOutcome(d.outcome, d.because) for symbol, d in denied.items()}
    planned: dict[str, list[Order]] = {}
    for order in orders:
        planned.setdefault(order.symbol, []).append(order)
    for symbol, mine in planned.items():
        why = Reasons.later(_planned, tuple(mine), denied.get(symbol))
        endings[symbol] = SymbolOutcome(Outcome.PLANNED, why)
    for symbol in proposed.fixed:
        endings[symbol] = SymbolOutcome(Outcome.REJECTED_NO_PRICE, because(ReasonCode.UNTRADABLE))
    endings |= {symbol: SymbolOutcome(f.outcome, f.because) for symbol, f in book.frozen.items()}
    return endings


def _planned(orders: Sequence[Order], denial: Denial | None) -> list[Reason]:
    """The reasons for the orders of one symbol, each told once, with their quantities; and why there is no other."""
    found: list[Reason] = []
    for order in orders:
        found += [reason for reason in order.because if reason not in found]
        found += because(ReasonCode.SHARES, qty=order.qty, side=order.side)
    return found if denial is None else [*found, *denial.because]


def _target(a: ProposedTarget, m: TradeProposal) -> Target:
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
    """State that positions match their targets, naming the outcomes of frozen or untraded symbols, which may not."""
    apart = sorted({e.outcome for e in endings.values() if e.outcome.startswith("FROZEN_") or e.outcome in UNTRADED})
    return because(ReasonCode.AT_TARGETS_BUT, outcomes=apart) if apart else because(ReasonCode.AT_TARGETS)


def _counted(orders: Sequence[Order]) -> Reasons:
    """The number of orders, by phase."""
    down = sum(1 for o in orders if o.phase == "reduce")
    return because(ReasonCode.ORDERS, orders=len(orders), reduce=down, increase=len(orders) - down)
