"""One symbol from signal to fill, link by link: the answer to "why did it (not) trade"."""

from __future__ import annotations

from rebalancer.core.decisions import Target, Verdict
from rebalancer.core.units import in_units, quantity_of
from rebalancer.report.allocation import target_of
from rebalancer.report.columns import paint, wrap
from rebalancer.report.numbers import (
    NONE,
    basis_points,
    clock_text,
    fixed,
    money,
    percent,
    points,
    price,
    shares,
    span_text,
)
from rebalancer.report.records import OrderLine, RunRecord
from rebalancer.report.redact import redact
from rebalancer.report.symbol_history import SymbolHistory, afterwards, checks, consensus, grounds
from rebalancer.report.trades import TradeRow, trades
from rebalancer.report.visible import visible, visible_symbol
from rebalancer.report.words import ORDER_OUTCOMES, limit_name, outcome_word

Links = list[tuple[str, str]]


def explain_text(
    symbol: str,
    record: RunRecord,
    known: SymbolHistory | None = None,
    *,
    width: int | None = None,
    colour: bool = False,
) -> str:
    """The chain for one symbol: signal, weight, caps with their factors, target, band, rounding, order, fill, outcome.

    Links that do not exist are left out. A symbol that the cycle did not cover gets one sentence. known: what rules and
    journal know in addition; its texts must not contain an account number.
    """
    headline, links = explained(symbol, record, known)
    if not links:
        return f"{headline}\n"
    lines = [paint(line, "bold", colour) for line in wrap(headline, width, "  ", "")]
    for title, text in links:
        lines += wrap(text, width, " " * 12, f"  {title:<9} ")
    return "\n".join(lines) + "\n"


def explained(symbol: str, record: RunRecord, known: SymbolHistory | None = None) -> tuple[str, Links]:
    """The headline, and the chain link by link: title and text. No link when the cycle did not cover the symbol."""
    record = redact(record)
    target = target_of(record, symbol)
    mine = [trade for trade in trades(record) if trade.line.symbol == symbol]
    links = _signals(symbol, record)
    if known is not None:
        links += grounds(symbol, record, known.rests_on)
    if known is not None and target is not None and not target.implied:
        links += consensus(symbol, record, known.weights)
    if target is not None and not target.implied and record.regime is not None:
        is_left = _is_given(symbol, record) and not record.regime.targets
        said = f"{record.regime.name}: a target weight stays as it is (regime.targets is false)"
        links.append(("regime", said if is_left else record.regime.text))
    if target is not None:
        links += [*_sizing(target, record), _band(target)]
    if known is not None and links:
        links += checks(symbol, record, target, known)
    for trade in mine:
        links += _order(trade)
    links += _ends(symbol, record, with_order=bool(mine))
    if known is not None and (links or known.orders):
        links += afterwards(known)
    name = visible_symbol(symbol)
    if not links:
        return f"{name}: no signal, no position and no order in cycle {visible_symbol(record.snapshot.cycle_id)}", []
    return _headline(name, target, mine), links


def _headline(name: str, target: Target | None, mine: list[TradeRow]) -> str:
    head = name
    if target is not None:
        head += (
            f"  now {percent(target.held_weight)}  target {percent(target.weight)}"
            f"  drift {points(target.held_weight - target.weight, sign=True)}  {_width(target)}"
        )
    actions = [
        f"{trade.line.side.upper()} {quantity_of(shares(trade.line.planned_qty), trade.line.symbol)}"
        f" ≈ {money(trade.line.planned_qty * trade.line.arrival_price)}"
        for trade in mine
    ]
    return f"{head}  → {', '.join(actions) or 'NO TRADE'}"


def _signals(symbol: str, record: RunRecord) -> Links:
    verdicts = {verdict.signal_id: verdict for verdict in record.verdicts}
    links: Links = []
    for signal in record.snapshot.signals:
        if signal.symbol == symbol:
            age = span_text(max((record.snapshot.as_of - signal.issued_at).total_seconds(), 0.0))
            verdict = verdicts.get(signal.id)
            rejected = verdict is not None and verdict.outcome.startswith("REJECTED")
            end = f" → {_with_reason(verdict)}" if verdict is not None and rejected else ""
            view = "hold" if signal.hold else fixed(signal.score, 2, sign=True)
            said = f"{view}, confidence {fixed(signal.confidence, 2)}"
            if signal.target is not None:
                said = f"target {percent(float(signal.target))}"
            links.append(("signal", f"{visible_symbol(signal.source)} {said}, {age} old{end}"))
    return links


def _sizing(target: Target, record: RunRecord) -> Links:
    if target.implied:
        said = "its signals keep it as it is" if target.confidence else "there is no usable signal for it"
        links: Links = [("weight", f"{said}: {percent(target.raw_weight)}")]
    else:
        known = "unknown" if target.volatility is None else percent(target.volatility, 0)
        said = (
            f"score {fixed(target.score, 2, sign=True)} × confidence {fixed(target.confidence, 2)};"
            f" volatility {known} → × {fixed(target.volatility_scale, 2)}; raw {percent(target.raw_weight)}"
        )
        if _is_given(target.symbol, record):
            said = f"{percent(target.raw_weight)} of capital, as its target says"
        links = [("weight", said)]
    factors = [f"{limit_name(name)} × {fixed(factor, 2)}" for name, factor in target.factors.items()]
    binds = target.weight != 0 and abs(target.weight) >= target.own_cap * (1 - 1e-9)
    own = (
        f"own cap {percent(target.own_cap)} ({visible(target.own_cap_name, 40)}) {'binds' if binds else 'not binding'}"
    )
    links.append(("caps", f"{' · '.join([*factors, own])} → {percent(target.weight)}"))
    ideal = NONE
    if target.price > 0:
        ideal = fixed(target.weight * float(record.plan.capital) / float(target.price), 2)
    rounding = f"{ideal} → rounded {quantity_of(shares(target.qty), target.symbol)} at {price(target.price)}"
    pending = f", {shares(target.pending_qty, sign=True)} on the way" if target.pending_qty else ""
    links.append(
        (
            "target",
            f"{percent(target.weight)} of {money(record.plan.capital)} = {rounding};"
            f" held {shares(target.held_qty)}{pending}",
        )
    )
    return links


def _is_given(symbol: str, record: RunRecord) -> bool:
    """Whether the weight of a symbol comes from a target weight that counted."""
    rejected = {v.signal_id for v in record.verdicts if v.outcome.startswith("REJECTED")}
    return any(s.target is not None and s.symbol == symbol and s.id not in rejected for s in record.snapshot.signals)


def _band(target: Target) -> tuple[str, str]:
    distance = abs(target.drift)  # includes orders in flight
    place = "outside" if distance > target.band else "inside"
    if target.band == 0:
        return ("band", f"{points(distance)} from the target; no band, since it is to be closed")
    return ("band", f"{points(distance)} from the target is {place} ±{fixed(target.band * 100, 2)} pp")


def _width(target: Target) -> str:
    return f"band ±{fixed(target.band * 100, 2)} pp" if target.band else "to be closed"


def _order(trade: TradeRow) -> Links:
    line = trade.line
    cut = f", funded {shares(line.funded_qty)}" if line.funded_qty != line.planned_qty else ""
    sent = f", sent {clock_text(line.sent_at)} ET" if line.sent_at else ""
    planned = quantity_of(shares(line.planned_qty), line.symbol)
    text = f"{line.phase}: {line.side} {planned} at about {price(line.arrival_price)}{cut}{sent}"
    links: Links = [("order", text)]
    if trade.because:
        links.append(("because", visible(trade.because)))
    links.append(("fill", _fill(line, trade)))
    return links


def _fill(line: OrderLine, trade: TradeRow) -> str:
    done = f"{shares(line.filled_qty)} of {shares(line.planned_qty)}"
    if line.filled_avg_price is not None:
        slip = basis_points(line.slippage, line.filled_qty * line.arrival_price)
        done += f" at {price(line.filled_avg_price)}, slippage {slip} bp"
    ended = f", {clock_text(line.ended_at)} ET" if line.ended_at else ""
    note = f"; {visible(trade.note)}" if trade.note else ""
    return f"{trade.word} {done}{ended}{note}"


def _ends(symbol: str, record: RunRecord, *, with_order: bool) -> Links:
    """How it ended: the verdicts that are not rejections (rejections are shown beside their signals). Beside an order,
    its outcome needs no reason: the order tells it."""
    verdicts = [v for v in (*record.verdicts, *record.plan.unsignalled) if v.symbol == symbol]
    ends = [v for v in verdicts if not v.outcome.startswith("REJECTED")]
    links: Links = [
        ("outcome", str(outcome_word(v.outcome)) if with_order and v.outcome in ORDER_OUTCOMES else _with_reason(v))
        for v in ends
    ]
    if symbol in record.plan.frozen and not any(v.outcome.startswith("FROZEN") for v in ends):
        links.insert(0, ("frozen", visible(str(record.plan.frozen[symbol]))))
    return links


def _with_reason(verdict: Verdict) -> str:
    words = in_units(str(verdict.because), verdict.symbol)
    return f"{outcome_word(verdict.outcome)}" + (f": {visible(words)}" if words else "")
