"""The codes of what was decided, and the numbers that stand for a limit that is not there."""

from __future__ import annotations

from typing import Final

RATE: Final = 1_000_000_000_000  # trillionths: what a rate of 1 is
NO_LIMIT: Final = -1  # in place of a group's rate
UNLIMITED: Final = 4_000_000_000_000_000_000

COIN, DEAR_COIN = 1, 2  # a dear one gets `crypto_floor`

# How a name takes part
SPOKEN: Final = 0  # its signals decide
SILENT: Final = 1  # held without a signal that counts, or kept by it
FIXED: Final = 2  # it cannot be traded now

# What the signals of a name say, where they open nothing; 0 where they count in full
SAYS_NOTHING: Final = 1  # no source has any weight: neutral
SAYS_HOLD: Final = 2  # keep
SCORES_CANCEL: Final = 3  # flat
SCORE_ZERO: Final = 4  # flat
CONFIDENCE_ZERO: Final = 5  # flat
TOO_WEAK: Final = 6  # neutral
BETWEEN: Final = 7  # keep
TARGETS_CANCEL: Final = 8  # flat
TARGET_ZERO: Final = 9  # flat
NO_QUORUM: Final = 10  # keep
REGIME_CLOSED: Final = 11  # flat: in this regime nothing is held

# Why a name may not be opened or enlarged; 0 where it may
NO_SHORT: Final = 1
LEAVING: Final = 2  # every position is being closed
COOLING: Final = 3
STOP_FAR: Final = 4
UNSURE: Final = 5
NO_PLACE: Final = 6  # too small for a place among a limited number of positions
GROUP_FULL: Final = 7
ACCOUNT_FULL: Final = 8
VETOED: Final = 9

# How the comparison of target and position ends
TRADE: Final = 0
RESTRICTED: Final = 1
STANCE: Final = 2
NO_ROOM: Final = 3
KEPT: Final = 4
WITHIN_BAND: Final = 5
AT_TARGET: Final = 6
BELOW_ONE_LOT: Final = 7
BELOW_MINIMUM: Final = 8
OTHER_SIDE: Final = 9  # an order of ours is working the other way
NOT_IN_ONLY: Final = 10
EXCLUDED: Final = 11
SIDE_EXCLUDED: Final = 12
NOT_IN_AT_MOST: Final = 13

# Which limit denies a trade that was wanted; 0 where none does
NOT_FREE: Final = 1
OPENING_BELOW_MINIMUM: Final = 2
NO_WHOLE_LOTS: Final = 3
AT_ONCE: Final = 4
HALTED: Final = 5
NOT_CLOSED: Final = 6
UNDER_CAP: Final = 7
BUYING_POWER: Final = 8
TURNOVER: Final = 9
PER_SYMBOL: Final = 10
PER_DAY: Final = 11
PER_EXECUTION: Final = 12

OWN_SIZE, OWN_RISK, OWN_HEAT = 0, 1, 2  # which rule sets a name's own cap
NO_CAP: Final = -1  # no cap cut it; otherwise a group
OWN_CAP: Final = -2  # the name's own cap did

FIXED_FRACTION, PROPORTIONAL, INVERSE_VOLATILITY, EQUAL, FIXED_SIZE = 0, 1, 2, 3, 4  # methods of sizing
