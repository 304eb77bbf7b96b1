"""The codes of the numeric core as outcomes and reasons. Reasons are put together when somebody asks for them."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING, Reason, ReasonCode, Reasons, because
from rebalancer.core.values import ZERO
from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Orders
from rebalancer.planning.core.cost_band import fixed_width, worth_of_gap
from rebalancer.planning.core.size import SURE, speaking, target_of
from rebalancer.planning.core.trades import is_at_own_cap, part_lot_of
from rebalancer.planning.core.units import fraction
from rebalancer.planning.decided import DENIED, NEUTRAL, OWN_CAP_RULES, Decided
from rebalancer.planning.entry_restrictions import losing_side_stop
from rebalancer.planning.lot_sizes import largest_trade
from rebalancer.planning.numbers import MICROS
from rebalancer.planning.pricing import order_price
from rebalancer.planning.regime_factors import regime_factors, regime_words
from rebalancer.planning.short_selling import why_not_short
from rebalancer.planning.to_columns import Columns


def hold_reasons(d: Decided, i: int) -> Reasons:
    """Why a name is not traded."""
    trades, code = d.decision.trades, d.decision.trades.code[i]
    match code:
        case codes.RESTRICTED | codes.STANCE:
            return _note(d, i)
        case codes.NO_ROOM:
            return because(ReasonCode.NO_ROOM, caps=_caps(d, i))
        case codes.KEPT:
            return _note(d, i) if d.decision.opinions.note[i] else because(ReasonCode.NO_SIGNAL_HELD)
        case codes.WITHIN_BAND:
            return _within_band(d, i)
        case codes.AT_TARGET:
            return because(ReasonCode.AT_TARGET, qty=d.columns.shares(i, trades.target[i]))
        case codes.BELOW_ONE_LOT:
            weight, price = abs(d.decision.targets.weight[i]), d.prices.usable[d.columns.symbols[i]]
            return because(ReasonCode.BELOW_ONE_LOT, weight=weight, price=price)
        case codes.BELOW_MINIMUM:
            names = d.columns.names
            units = max(abs(trades.reduce[i]), abs(trades.increase[i])) or abs(
                trades.target[i] - names.held[i] - names.pending[i]
            )
            value = _worth(d, i, units)
            return because(ReasonCode.BELOW_MINIMUM, value=value, limit=d.rules.position_sizing.min_trade_size)
        case codes.OTHER_SIDE:
            return because(ReasonCode.OTHER_SIDE_WORKING)
        case codes.NOT_IN_ONLY:
            return because(ReasonCode.NOT_IN_ONLY)
        case codes.EXCLUDED:
            return because(ReasonCode.EXCLUDED)
        case codes.SIDE_EXCLUDED:
            return because(ReasonCode.SIDE_EXCLUDED, side=d.rules.selection.side)
        case _:
            return because(ReasonCode.NOT_IN_AT_MOST)


def _within_band(d: Decided, i: int) -> Reasons:
    """Which band holds a name: the fixed one, or else that of its trading cost."""
    trades, names, numbers = d.decision.trades, d.columns.names, d.columns.numbers
    drift, band, cost = trades.drift[i], trades.band[i], names.trading_cost[i]
    if abs(drift) > fixed_width(numbers, d.decision.targets.weight[i]):
        worth = worth_of_gap(cost, drift, band)
        return because(ReasonCode.NOT_WORTH_COST, drift=drift, worth=worth, cost=cost, band=band)
    return because(ReasonCode.WITHIN_BAND, drift=drift, band=band).plus(_cost_unknown(d, i))


def _cost_unknown(d: Decided, i: int) -> Reasons:
    """That the fixed band counts although the rules ask for the band of the trading cost."""
    is_asked = d.columns.numbers.risk_aversion > 0
    return because(ReasonCode.COST_UNKNOWN) if is_asked and d.columns.names.trading_cost[i] < 0 else NOTHING


def denial_reasons(d: Decided, orders: Orders, i: int) -> Reasons:
    """Why a limit denies a trade."""
    risk, sizing, trades = d.rules.risk_management, d.rules.position_sizing, d.decision.trades
    detail = orders.detail[i]
    match orders.denied[i]:
        case codes.NOT_CLOSED | codes.UNDER_CAP | codes.BUYING_POWER:
            return refit_denial(d.columns, orders, i)[1]
        case codes.NOT_FREE:
            held, free = abs(d.columns.names.held[i]), d.columns.names.available[i]
            if free == 0:
                return because(ReasonCode.SHARES_RESERVED)
            return because(
                ReasonCode.FEW_SHARES_FREE,
                free=d.columns.shares(i, free),
                held=d.columns.shares(i, held),
                lot=d.columns.shares(i, part_lot_of(d.columns.names, i)),
            )
        case codes.OPENING_BELOW_MINIMUM:
            value = _worth(d, i, abs(trades.increase[i]))
            return because(ReasonCode.OPENING_BELOW_MINIMUM, value=value, limit=sizing.min_trade_size)
        case codes.NO_WHOLE_LOTS:
            price = max(d.prices.usable[d.columns.symbols[i]], _paid(d, i))
            smallest, largest = sizing.min_trade_size, largest_trade(d.rules)
            return because(ReasonCode.NO_WHOLE_LOTS, price=price, smallest=smallest, largest=largest)
        case codes.AT_ONCE:
            return because(ReasonCode.ORDERS_AT_ONCE, limit=d.rules.gate.max_orders_per_minute)
        case codes.HALTED:
            return d.halt.because
        case codes.TURNOVER:
            return because(ReasonCode.TURNOVER, value=Decimal(detail) / MICROS, limit=d.rules.selection.max_turnover)
        case codes.PER_SYMBOL:
            return because(ReasonCode.ORDERS_PER_SYMBOL, sent=detail)
        case codes.PER_DAY:
            reserved = d.columns.numbers.orders_reserved
            kept = NOTHING if detail <= 0 else because(ReasonCode.ORDERS_RESERVED, reserved=reserved)
            return because(ReasonCode.ORDERS_PER_DAY, limit=risk.max_orders_per_day).plus(kept)
        case _:
            return because(ReasonCode.ORDERS_PER_EXECUTION, limit=d.rules.execution.max_orders_per_execution)


def refit_denial(columns: Columns, orders: Orders, i: int) -> tuple[Outcome, Reasons]:
    """How an increase that does not fit into what there is ends, and why."""
    outcome = DENIED[orders.denied[i]]
    match orders.denied[i]:
        case codes.NOT_CLOSED:
            return outcome, because(ReasonCode.NOT_CLOSED_YET)
        case codes.UNDER_CAP:
            return outcome, because(ReasonCode.NO_ROOM_UNDER, cap=cap_name(columns, i, orders.cap[i]))
        case _:
            return outcome, because(ReasonCode.BUYING_POWER, left=Decimal(orders.detail[i]) / MICROS)


def reduce_reasons(d: Decided, i: int) -> Reasons:
    """Why a position is reduced."""
    trades, orders, columns = d.decision.trades, d.decision.orders, d.columns
    if orders.is_relief[i]:
        names, capital = columns.names, columns.funds.capital
        worst = names.worst[i]
        return because(
            ReasonCode.CAP_EXCEEDED,
            now=fraction(worst, names.price[i], names.divisor[i], capital),
            target=fraction(worst + orders.reduce[i], names.price[i], names.divisor[i], capital),
        )
    why = _why_traded(d, i)
    if orders.reduce[i] == trades.reduce[i]:
        return why
    return why.plus(_part(columns, i, orders.reduce[i], trades.reduce[i]))


def increase_reasons(d: Decided, i: int) -> Reasons:
    """Why a position is increased, and by what the increase was cut."""
    trades, orders = d.decision.trades, d.decision.orders
    why = _why_traded(d, i)
    if orders.asked[i] != trades.increase[i]:
        why = why.plus(_part(d.columns, i, orders.asked[i], trades.increase[i]))
    return why.plus(cut_reasons(d.columns, orders, i))


def cut_reasons(columns: Columns, orders: Orders, i: int) -> Reasons:
    """By what an increase was cut; nothing when it was not."""
    asked, qty = (columns.shares(i, abs(units)) for units in (orders.asked[i], orders.increase[i]))
    if asked == qty:
        return NOTHING
    if orders.cap[i] == codes.NO_CAP:
        return because(ReasonCode.CUT_BY_BUYING_POWER, asked=asked, qty=qty)
    return because(ReasonCode.CUT_BY_CAP, asked=asked, qty=qty, cap=cap_name(columns, i, orders.cap[i]))


def cap_name(columns: Columns, i: int, cap: int) -> str:
    """The name of the cap that cut or denied an increase; "" for none."""
    if cap == codes.NO_CAP:
        return ""
    return f"position:{columns.symbols[i]}" if cap == codes.OWN_CAP else columns.groups.labels[cap]


def _part(columns: Columns, i: int, now: int, all_of_it: int) -> Reasons:
    return because(ReasonCode.PART_NOW, now=columns.shares(i, abs(now)), all=columns.shares(i, abs(all_of_it)))


def _paid(d: Decided, i: int) -> Decimal:
    """The price at which an order for this name is valued, USD."""
    symbol, trades = d.columns.symbols[i], d.decision.trades
    instrument = next(one for one in d.snapshot.instruments if one.symbol == symbol)
    return order_price("buy" if trades.reduce[i] + trades.increase[i] > 0 else "sell", instrument, d.prices, d.rules)


def _worth(d: Decided, i: int, units: int) -> Decimal:
    return d.columns.shares(i, units) * _paid(d, i)


def _why_traded(d: Decided, i: int) -> Reasons:
    """What the trade does to the position, and the reasons for its target."""
    return Reasons.later(_traded, d, i)


def _traded(d: Decided, i: int) -> list[Reason]:
    trades = d.decision.trades
    now, target = d.decision.targets.weight[i] - trades.drift[i], trades.aimed[i]
    if now == 0:
        code = ReasonCode.OPENS
    elif target == 0:
        code = ReasonCode.CLOSES
    elif now * target < 0:
        code = ReasonCode.REVERSES
    else:
        code = ReasonCode.ABOVE_TARGET if abs(now) > abs(target) else ReasonCode.BELOW_TARGET
    return [*because(code, now=now, target=target), *_why_target(d, i), *_cost_unknown(d, i)]


def _why_target(d: Decided, i: int) -> Reasons:
    """The reasons for the target: what the signals support, then the caps that shrink it."""
    opinions, targets = d.decision.opinions, d.decision.targets
    is_silent, note = targets.state[i] == codes.SILENT, opinions.note[i]
    if targets.bar[i] == codes.NO_SHORT:
        return (_basis(d, i) or because(ReasonCode.NO_LONG, score=opinions.score[i])).plus(_note(d, i))
    if targets.bar[i]:
        return _note(d, i)
    if is_silent and targets.weight[i] == 0 and not note:
        return because(ReasonCode.NO_SIGNAL_CLOSED)
    if note:
        why = _note(d, i)
    elif is_silent:
        why = because(ReasonCode.NO_SIGNAL)
    else:
        score = because(ReasonCode.SCORE, score=opinions.score[i], confidence=opinions.confidence[i])
        why = (_basis(d, i) or score).plus(_regime(d, i))
    return why.plus(_caps(d, i))


def _regime(d: Decided, i: int) -> Reasons:
    """What the regime does to a target; nothing where it leaves it alone."""
    rules, names = d.rules.regime, d.columns.names
    factors = regime_factors(d.snapshot.regime, rules)
    if factors.changes_nothing:
        return NOTHING
    regime = regime_words(d.snapshot.regime)
    if not d.columns.signals.is_target[names.first[i]]:
        return because(ReasonCode.REGIME, regime=regime, confidence=factors.confidence, gross=factors.gross)
    if rules.targets and factors.gross != 1:
        return because(ReasonCode.REGIME_OF_TARGET, regime=regime, gross=factors.gross)
    return NOTHING


def _basis(d: Decided, i: int) -> Reasons:
    """What supports the weight of a target; nothing for a score."""
    columns = d.columns
    first, last = columns.names.first[i : i + 2]
    if first == last or not columns.signals.is_target[first]:
        return NOTHING
    target = target_of(columns.signals, first, last)[1]
    if d.rules.signals.weights_of == "capital":
        return because(ReasonCode.TARGET_OF_CAPITAL, target=target)
    weight = target / d.rules.position_sizing.capital_scaling
    return because(ReasonCode.TARGET_OF_EQUITY, target=target, weight=weight)


def _caps(d: Decided, i: int) -> Reasons:
    """The caps that shrink a target; nothing when none does."""
    targets, factors = d.decision.targets, d.factors(i)
    found = because(ReasonCode.CAPS, factors=factors) if factors else NOTHING
    if is_at_own_cap(targets, i):
        rule = OWN_CAP_RULES[targets.own_rule[i]]
        found = found.plus(because(ReasonCode.OWN_CAP, rule=rule, limit=targets.own[i]))
    return found


def _note(d: Decided, i: int) -> Reasons:
    """What an entry restriction says, or what signals say that open nothing."""
    return _barred(d, i) if d.decision.targets.bar[i] else _stance(d, i)


def _barred(d: Decided, i: int) -> Reasons:
    symbol, risk = d.columns.symbols[i], d.rules.risk_management
    opinions, targets = d.decision.opinions, d.decision.targets
    match targets.bar[i]:
        case codes.NO_SHORT:
            instrument = next(one for one in d.snapshot.instruments if one.symbol == symbol)
            return why_not_short(instrument, d.snapshot.account, d.rules)
        case codes.LEAVING:
            return d.halt.because
        case codes.COOLING:
            return d.cooling[symbol].because
        case codes.STOP_FAR:
            price = d.prices.usable[symbol]
            stop = losing_side_stop(d.signals[symbol], price, is_long=opinions.raw[i] >= 0)
            distance = risk.default_stop_distance if stop is None else abs(price - stop) / price
            return because(ReasonCode.STOP_FAR, distance=distance, limit=risk.max_stop_distance)
        case codes.UNSURE:
            unsure = because(ReasonCode.CONFIDENCE_UNSURE, confidence=opinions.confidence[i], limit=SURE)
            return unsure.plus(_regime(d, i))
        case codes.VETOED:
            return _veto(d, i)
        case codes.NO_PLACE:
            return because(ReasonCode.TOO_SMALL_FOR_PLACE)
    opened = targets.opened[i]
    larger = because(ReasonCode.LARGER_FIRST, opened=opened) if opened else NOTHING
    groups = d.columns.groups
    occupied = [
        k for k, s in enumerate(d.columns.symbols) if d.book.held.get(s, ZERO) or d.book.worst_case.get(s, ZERO)
    ]
    if targets.bar[i] == codes.ACCOUNT_FULL:
        full = because(ReasonCode.POSITIONS_FULL, held=len(occupied), limit=risk.max_positions)
        return full.plus(larger)
    held = sum(1 for k in occupied if groups.cluster[k] == groups.cluster[i])
    limit, name = risk.max_correlated_positions, groups.labels[groups.cluster[i]]
    return because(ReasonCode.GROUP_FULL, held=held, limit=limit, group=name).plus(larger)


def _veto(d: Decided, i: int) -> Reasons:
    """The source that speaks most strongly against the consensus."""
    score, weight_of = d.decision.opinions.score[i], d.rules.signals.weight_of
    against = [
        s for s in d.signals[d.columns.symbols[i]] if s.score * score < 0 and not s.hold and weight_of(s.source) > 0
    ]
    most = max(against, key=lambda s: (abs(s.score * s.confidence), s.source))
    return because(ReasonCode.VETOED, source=most.source, strength=most.score * most.confidence, score=score)


def _stance(d: Decided, i: int) -> Reasons:
    opinions, execution, note = d.decision.opinions, d.rules.execution, d.decision.opinions.note[i]
    more = NOTHING
    if note in NEUTRAL and d.decision.targets.state[i] == codes.SILENT:
        more = because(ReasonCode.NEUTRAL_HELD)
    strength, opens = abs(opinions.score[i] * opinions.confidence[i]), execution.signal_threshold
    keeps = opens if execution.exit_threshold is None else execution.exit_threshold
    match note:
        case codes.SAYS_NOTHING:
            return because(ReasonCode.SOURCES_WITHOUT_WEIGHT).plus(more)
        case codes.SAYS_HOLD:
            return because(ReasonCode.SAYS_HOLD)
        case codes.NO_QUORUM:
            first, last = d.columns.names.first[i : i + 2]
            spoke = speaking(d.columns.signals, first, last)
            return because(ReasonCode.NO_QUORUM, spoke=spoke, quorum=d.rules.signals.consensus.quorum)
        case codes.SCORES_CANCEL:
            return because(ReasonCode.SCORES_CANCEL)
        case codes.SCORE_ZERO:
            return because(ReasonCode.SCORE_ZERO)
        case codes.TARGETS_CANCEL:
            return because(ReasonCode.TARGETS_CANCEL)
        case codes.TARGET_ZERO:
            return because(ReasonCode.TARGET_ZERO)
        case codes.CONFIDENCE_ZERO:
            return because(ReasonCode.CONFIDENCE_ZERO).plus(_regime(d, i))
        case codes.TOO_WEAK:
            return because(ReasonCode.TOO_WEAK, strength=(strength, keeps)).plus(_regime(d, i)).plus(more)
        case codes.BETWEEN:
            weak = because(ReasonCode.BETWEEN_THRESHOLDS, strength=(strength, opens), exit=keeps)
            return weak.plus(_regime(d, i))
        case codes.REGIME_CLOSED:
            return because(ReasonCode.REGIME_CLOSED, regime=regime_words(d.snapshot.regime))
        case _:
            return NOTHING
