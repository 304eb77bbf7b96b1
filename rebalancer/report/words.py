"""The enumerations in plain words: outcomes, order states, modes and limits, each with a mark in addition to its
colour."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.values import ZERO
from rebalancer.report.records import Mode
from rebalancer.report.visible import visible


class Word(NamedTuple):
    """A state in words, with a mark that is readable without colour and a tone (ok, warn, bad, idle) for the colour."""

    mark: str
    text: str
    tone: str

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


MODE_NAME: Final[dict[Mode, str]] = {
    "simulated": "SIMULATED",
    "paper": "PAPER",
    "live": "LIVE",
    "dry_run": "DRY RUN",
}
MODE_MEANING: Final[dict[Mode, str]] = {
    "simulated": "embedded exchange, generated money",
    "paper": "paper account, no real money",
    "live": "real money",
    "dry_run": "nothing was sent",
}

OUTCOME_WORD: Final[dict[Outcome, str]] = {
    Outcome.REJECTED_INVALID: "invalid signal",
    Outcome.REJECTED_UNKNOWN_SYMBOL: "unknown symbol",
    Outcome.REJECTED_SUPERSEDED: "superseded signal",
    Outcome.REJECTED_STALE: "stale signal",
    Outcome.REJECTED_LOW_CONFIDENCE: "low confidence",
    Outcome.REJECTED_NOT_TRADABLE: "not tradable",
    Outcome.REJECTED_NO_PRICE: "no usable price",
    Outcome.FROZEN_UNRECONCILED: "frozen: position differs",
    Outcome.FROZEN_UNKNOWN_ORDER: "frozen: order unknown",
    Outcome.FROZEN_OPEN_ORDER: "frozen: foreign order open",
    Outcome.HELD_NEUTRAL: "neutral signal",
    Outcome.HELD_AT_TARGET: "at target",
    Outcome.HELD_WITHIN_BAND: "inside band",
    Outcome.HELD_BELOW_MINIMUM: "below minimum trade",
    Outcome.HELD_LEFT_OUT: "left out",
    Outcome.DENIED_SHORT: "shorting not allowed",
    Outcome.DENIED_RESTRICTED: "account restricted",
    Outcome.DENIED_DAILY_LOSS: "daily loss limit",
    Outcome.DENIED_DRAWDOWN: "drawdown limit",
    Outcome.DENIED_FLAT_BY: "flat by the close",
    Outcome.DENIED_STOPPED_OUT: "stopped out",
    Outcome.DENIED_COOL_OFF: "cooling off after a stop",
    Outcome.DENIED_STOP_DISTANCE: "stop too far away",
    Outcome.DENIED_CORRELATED_POSITIONS: "number of correlated positions",
    Outcome.DENIED_POSITIONS: "number of positions",
    Outcome.DENIED_CAP: "cap",
    Outcome.DENIED_NOT_AVAILABLE: "shares not available",
    Outcome.DENIED_ORDER_VALUE: "order value limit",
    Outcome.DENIED_TURNOVER: "turnover",
    Outcome.DENIED_BUYING_POWER: "buying power",
    Outcome.DENIED_ORDERS_PER_EXECUTION: "orders per cycle",
    Outcome.DENIED_ORDERS_PER_DAY: "orders per day",
    Outcome.DENIED_ORDERS_PER_SYMBOL: "orders per symbol",
    Outcome.WITHHELD: "dry run",
    Outcome.NOT_SENT: "not sent",
    Outcome.REFUSED_BY_BROKER: "refused by broker",
    Outcome.UNFILLED: "not filled",
    Outcome.PARTLY_FILLED: "partly filled",
    Outcome.FILLED: "filled",
    Outcome.UNKNOWN_AT_BROKER: "unknown at broker",
    Outcome.PLANNED: "planned",
}

ORDER_OUTCOMES: Final = frozenset(
    {
        Outcome.WITHHELD,
        Outcome.NOT_SENT,
        Outcome.REFUSED_BY_BROKER,
        Outcome.UNFILLED,
        Outcome.PARTLY_FILLED,
        Outcome.FILLED,
        Outcome.UNKNOWN_AT_BROKER,
        Outcome.PLANNED,
    }
)

_TONE: Final = {"REJECTED": ("!", "warn"), "FROZEN": ("!", "bad"), "HELD": ("=", "idle"), "DENIED": ("■", "warn")}

_CYCLE: Final[dict[CycleOutcome, str]] = {
    CycleOutcome.COMPLETED: "completed",
    CycleOutcome.HOLDING: "holding: no trade is due",
    CycleOutcome.CONSTRAINED: "constrained: a limit denies what the rules want",
    CycleOutcome.SKIPPED_MARKET_CLOSED: "skipped: market closed",
    CycleOutcome.SKIPPED_TOO_LATE: "skipped: too close to the close",
    CycleOutcome.SKIPPED_OVERLAPPING: "skipped: the cycle before still ran",
    CycleOutcome.SKIPPED_PAUSED: "skipped: paused",
    CycleOutcome.HALTED_KILL_SWITCH: "halted: kill switch",
    CycleOutcome.HALTED_DAILY_LOSS: "halted: daily loss limit",
    CycleOutcome.HALTED_DRAWDOWN: "halted: drawdown limit",
    CycleOutcome.HALTED_UNRECONCILED: "halted: positions not reconciled",
    CycleOutcome.HALTED_STALE_QUOTES: "halted: prices stale",
    CycleOutcome.HALTED_ACCOUNT: "halted: account restricted",
    CycleOutcome.HALTED_PLAN: "halted: plan withheld",
    CycleOutcome.HALTED_BROKER_DOWN: "halted: broker unavailable",
    CycleOutcome.ABANDONED: "abandoned: ended before its orders did",
    CycleOutcome.MISSED: "missed",
}

_LIMIT_GROUP: Final = {"sector": "sector", "correlation": "correlation group", "group": "correlation group"}

_STEP: Final = {
    "read": "Read the account and prices",
    "plan": "Decide",
    "journal": "Write the plan down",
    "reduce": "Send reductions",
    "wait": "Wait for orders to end",
    "fund": "Fund the increases",
    "increase": "Send increases",
    "look_after": "Read back and protect",
    "failed": "What failed",
    "all": "Whole cycle",
}


def parity_text(day: str, body: Mapping[str, Any]) -> str:
    """The measurement of an evening in one line; "" for one that cannot be read."""
    try:
        parts = ", ".join(f"{part} {float(body['divergence_bp'][part]):+.1f}" for part in ("fills", "prices", "cash"))
        books = "".join(f"; {one['name']} {one['return'] - one['live_return']:+.2%} beside live"
                        for one in body["shadow_books"])  # fmt: skip
        return f"{day}: {body['plans_equal']} of {body['cycles']} plans equal, live less model in bp: {parts}{books}"
    except (KeyError, TypeError, ValueError):
        return ""


def cycle_word(outcome: CycleOutcome) -> Word:
    """A cycle outcome in words."""
    if outcome in (CycleOutcome.COMPLETED, CycleOutcome.HOLDING):
        return Word("✔", _CYCLE[outcome], "ok")
    if outcome is CycleOutcome.CONSTRAINED:
        return Word("■", _CYCLE[outcome], "warn")
    if outcome.startswith("SKIPPED"):
        return Word("○", _CYCLE[outcome], "idle")
    return Word("✘", _CYCLE[outcome], "bad")


def outcome_word(outcome: Outcome) -> Word:
    """The outcome of one signal in words."""
    mark, tone = _TONE.get(outcome.split("_", 1)[0], ("", ""))
    if not mark:
        mark, tone = {
            Outcome.FILLED: ("✔", "ok"),
            Outcome.PARTLY_FILLED: ("◐", "warn"),
            Outcome.REFUSED_BY_BROKER: ("✘", "bad"),
            Outcome.UNKNOWN_AT_BROKER: ("?", "bad"),
        }.get(outcome, ("○", "idle"))
    return Word(mark, OUTCOME_WORD[outcome], tone)


def order_word(state: OrderState, filled_qty: Decimal) -> Word:
    """The state of one order in words; the filled quantity takes precedence over how it ended."""
    if state is OrderState.UNKNOWN:
        return Word("?", "unknown", "bad")
    if state is OrderState.REFUSED:
        return Word("✘", "refused", "bad")
    if state is OrderState.FILLED:
        return Word("✔", "filled", "ok")
    if filled_qty > ZERO:
        return Word("◐", "partly filled" + (", still open" if not state.is_final else ""), "warn")
    return {
        OrderState.WITHHELD: Word("○", "withheld", "idle"),
        OrderState.NOT_SENT: Word("○", "not sent", "warn"),
        OrderState.INTENDED: Word("?", "not confirmed", "warn"),
        OrderState.OPEN: Word("…", "open", "warn"),
        OrderState.CANCELED: Word("○", "not filled", "warn"),
        OrderState.EXPIRED: Word("○", "expired", "warn"),
        OrderState.REPLACED: Word("○", "replaced", "warn"),
    }[state]


def step_text(step: str) -> str:
    """The display name of a step of a cycle; an unknown step unchanged."""
    return _STEP.get(step, step)


def limit_name(name: str) -> str:
    """The display name of a limit or cap group: "sector:Technology" is "sector Technology"."""
    group, colon, member = visible(name, 60).partition(":")
    if colon:
        return f"{_LIMIT_GROUP.get(group, group.replace('_', ' '))} {member}"
    return group.replace("_", " ")
