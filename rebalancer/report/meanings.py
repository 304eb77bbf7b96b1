"""What every outcome and order state means, in one sentence each, for the reference pages (`python -m tests.docs`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome

OUTCOME_MEANING: Final[Mapping[Outcome, str]] = {
    Outcome.REJECTED_INVALID: "The signal is not well formed, for example a score outside -1 to 1.",
    Outcome.REJECTED_UNKNOWN_SYMBOL: "The broker has no such instrument.",
    Outcome.REJECTED_SUPERSEDED: "The same source has a newer signal for the symbol.",
    Outcome.REJECTED_STALE: "The signal is older than `signals.max_age_minutes`.",
    Outcome.REJECTED_LOW_CONFIDENCE: "The confidence is below `signals.min_confidence`.",
    Outcome.REJECTED_NOT_TRADABLE: "The broker does not let the instrument be traded now.",
    Outcome.REJECTED_NO_PRICE: "There is no usable quote: missing, too old, crossed or too wide (section `quotes`).",
    Outcome.FROZEN_UNRECONCILED: "The position differs from the expected one and nothing explains it. It is adopted if "
    "the next cycle reads the same.",
    Outcome.FROZEN_UNKNOWN_ORDER: "An earlier order of the symbol has an unknown end; nothing is sent until the broker "
    "has told.",
    Outcome.FROZEN_OPEN_ORDER: "An order is still working that this program did not place, or that stands against the "
    "trade.",
    Outcome.HELD_NEUTRAL: "The signals are too weak to open or change anything, and what is held stays as it is.",
    Outcome.HELD_AT_TARGET: "The position is what the signal asks for.",
    Outcome.HELD_WITHIN_BAND: "The drift is smaller than `position_sizing.no_trade_band`, or closing it is worth less "
    "than it costs (`width: cost`).",
    Outcome.HELD_BELOW_MINIMUM: "Below `position_sizing.min_trade_size` or one lot, and it closes no position.",
    Outcome.HELD_LEFT_OUT: "A selection leaves the symbol or the side out (`selection`, `--only`, `--exclude`, ...).",
    Outcome.DENIED_SHORT: "Short selling is off, or the instrument cannot be sold short.",
    Outcome.DENIED_RESTRICTED: "The account is restricted by the broker.",
    Outcome.DENIED_DAILY_LOSS: "The daily loss limit is reached: only reductions are sent for the rest of the day.",
    Outcome.DENIED_DRAWDOWN: "The drawdown limit is reached: only reductions are sent for the rest of the day.",
    Outcome.DENIED_FLAT_BY: "It is too close to the close to open anything (`session.flat_by_minutes_before_close`).",
    Outcome.DENIED_STOPPED_OUT: "The signal is older than the stop, target or flatten that closed the position.",
    Outcome.DENIED_COOL_OFF: "The symbol cools off after a stop (`protection.cool_off`).",
    Outcome.DENIED_STOP_DISTANCE: "The signal's stop is further away than `risk_management.max_stop_distance`.",
    Outcome.DENIED_CORRELATED_POSITIONS: "Its group has `risk_management.max_correlated_positions` already.",
    Outcome.DENIED_POSITIONS: "There are `risk_management.max_positions` positions already.",
    Outcome.DENIED_CAP: "A cap on weights has no room left: position, gross, sector or correlation group.",
    Outcome.DENIED_NOT_AVAILABLE: "Other orders hold the shares, or the opposite position is still open.",
    Outcome.DENIED_ORDER_VALUE: "Not even the smallest order is within `position_sizing.max_order_value`.",
    Outcome.DENIED_TURNOVER: "The cycle has used up `selection.max_turnover`.",
    Outcome.DENIED_BUYING_POWER: "There is not enough buying power, or cash for crypto.",
    Outcome.DENIED_ORDERS_PER_EXECUTION: "`execution.max_orders_per_execution`, or all that a minute allows.",
    Outcome.DENIED_ORDERS_PER_DAY: "The day has `risk_management.max_orders_per_day` orders.",
    Outcome.DENIED_ORDERS_PER_SYMBOL: "The symbol has `risk_management.max_orders_per_symbol_per_day` orders today.",
    Outcome.WITHHELD: "A dry run: the order was decided and not sent.",
    Outcome.NOT_SENT: "The order never left: halted, stopped, refused by the pre-trade check, or no longer affordable.",
    Outcome.REFUSED_BY_BROKER: "The broker refused the order; `explain` shows its words.",
    Outcome.UNFILLED: "The order ended without a fill.",
    Outcome.PARTLY_FILLED: "The order ended with a part of it filled; the next cycle goes on from there.",
    Outcome.FILLED: "The order filled.",
    Outcome.UNKNOWN_AT_BROKER: "The broker has not reported the outcome; the symbol is frozen until it does.",
    Outcome.PLANNED: "In a plan: an order is due. No ended cycle has it.",
}

CYCLE_MEANING: Final[Mapping[CycleOutcome, tuple[str, str]]] = {
    CycleOutcome.COMPLETED: ("Orders were due; all that could be sent were sent and have ended.", "Nothing."),
    CycleOutcome.HOLDING: (
        "Positions match their targets, or none is farther off than `execution.schedule: drift` asks for.",
        "Nothing.",
    ),
    CycleOutcome.CONSTRAINED: (
        "Trades are due, and a limit on orders, order value, turnover, buying power or availability denies all "
        "of them.",
        "Look at the largest denial (`status --json`, `constrained`); raise the limit, or let the next day go on.",
    ),
    CycleOutcome.SKIPPED_MARKET_CLOSED: ("The market is closed.", "Nothing."),
    CycleOutcome.SKIPPED_TOO_LATE: (
        "Less than `execution.close_buffer_seconds` were left to the close, or the slot was noticed too late.",
        "If it repeats: see why the session is late, for example a machine that sleeps.",
    ),
    CycleOutcome.SKIPPED_OVERLAPPING: (
        "The cycle before, or another run, was still under way.",
        "If it repeats: lengthen `execution.interval_minutes`, or find out why cycles take long (`history`).",
    ),
    CycleOutcome.SKIPPED_PAUSED: ("`execution.enabled` is false.", "Set it to true to trade again."),
    CycleOutcome.HALTED_KILL_SWITCH: (
        "The kill switch is set.",
        'Find out why, then `rebalancer resume --reason "..."`.',
    ),
    CycleOutcome.HALTED_DAILY_LOSS: (
        "The loss of the day is beyond `risk_management.max_daily_loss`: only reductions are sent.",
        'It is lifted the next day. Earlier only on purpose: `rebalancer resume --reason "..."`.',
    ),
    CycleOutcome.HALTED_DRAWDOWN: (
        "Equity is further below its high than `risk_management.max_drawdown`: only reductions are sent.",
        "It is measured afresh every day and breaches again while it lasts: decide whether to go on with a "
        "higher limit.",
    ),
    CycleOutcome.HALTED_UNRECONCILED: (
        "Positions of more than `risk_management.max_frozen_exposure` do not match the expected positions, "
        "or the broker's readings contradict themselves.",
        "Compare with the broker (`status --live`); what stays the same is adopted by the next cycles.",
    ),
    CycleOutcome.HALTED_STALE_QUOTES: (
        "Too many names have no usable price.",
        "Wait for the market; check the data feed and the section `quotes`.",
    ),
    CycleOutcome.HALTED_ACCOUNT: (
        "The broker restricts the account, refuses the keys, or reports no equity to trade with.",
        "Look at the account at the broker; the report has the restriction.",
    ),
    CycleOutcome.HALTED_PLAN: (
        "The plan would exceed a cap, which the last check before the journal found: a fault of this program. None of "
        "its orders is sent, reductions included; protective exits stay.",
        "Report it with the snapshot and the rules of the cycle (`rebalancer replay`). The next cycle plans afresh; "
        "`kill --flatten` closes positions meanwhile.",
    ),
    CycleOutcome.HALTED_BROKER_DOWN: (
        "The broker did not answer.",
        "Nothing, if it passes: the next cycle asks what became of every order. Else check network and status page.",
    ),
    CycleOutcome.ABANDONED: (
        "The run ended before its orders did, for example by a power cut; the next start looked up how each ended.",
        "Read its verdicts (`history`, `explain`).",
    ),
    CycleOutcome.MISSED: (
        "No session was running at this slot of the trading calendar.",
        "Check that the timer is enabled and the machine was on.",
    ),
}

STATE_MEANING: Final[Mapping[OrderState, str]] = {
    OrderState.INTENDED: "Written to the journal; it may have been sent.",
    OrderState.OPEN: "The broker has it, and it may still fill.",
    OrderState.FILLED: "Filled in full.",
    OrderState.CANCELED: "Cancelled; a part may have filled.",
    OrderState.EXPIRED: "Expired; a part may have filled.",
    OrderState.REPLACED: "Replaced at the broker by another order.",
    OrderState.REFUSED: "Refused by the broker.",
    OrderState.NOT_SENT: "Known never to have arrived.",
    OrderState.WITHHELD: "Not sent in a dry run.",
    OrderState.UNKNOWN: "The outcome is unknown: only a report from the broker ends this state.",
}
