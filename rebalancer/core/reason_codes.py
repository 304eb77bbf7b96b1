"""The codes of all reasons, each with its sentence.

The value of a code is its sentence. `{drift:points}` stands for the number `drift` of the reason, written as
`FORMATS["points"]` in `core/reasons.py` says. The reference docs/reference/reasons.md is generated from both.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class ReasonCode(Enum):
    """Every reason, with its sentence. The numbers of a code are the names in its braces."""

    STATED = "{text:text}"  # words from outside: the broker's, a person's, or those of a stored plan

    # whether the cycle may trade
    KILL_SWITCH = "the kill switch is set"
    PAUSED = "execution.enabled is false"
    MARKET_CLOSED = "the market is closed"
    MARKET_CLOSING = "the market is about to close"
    ACCOUNT_RESTRICTED = "account: {restrictions:names}"
    EQUITY_IMPLAUSIBLE = "equity is {equity:number}"
    OUT_OF_RANGE = "the numbers of this account are too large to be counted exactly: {text:text}"
    PLAN_EXCEEDS_CAP = "the plan failed its last check, a fault of this program, and is withheld: {text:text}"
    EQUITY_WITHDRAWN = "selection.withdraw takes all of the equity of {equity:number}"
    DAY_LOSS = "{loss:percent} lost today; the limit is {limit:percent}"
    DAY_LOSS_UNKNOWN = "yesterday's equity is unknown"
    DRAWDOWN = "{loss:percent} below the peak; the limit is {limit:percent}"
    DRAWDOWN_UNKNOWN = "the high-water mark is unknown"
    LATCHED = "{text:text}; latched for the rest of the day"
    REDUCTIONS_ONLY = "{why:reasons}: reductions only"
    FLAT_BY = "flat by {minutes:count} minutes before the close"
    ALL_CLOSED = "{why:reasons}: all positions are closed"
    PRICES_MISSING = "{missing:count} of {names:count} names have no usable price"
    POSITIONS_DOUBTFUL = (
        "{value:dollars} of positions do not match the expected positions; the limit is {limit:dollars}"
    )
    POSITIONS_UNVALUED = "no price at all for {symbols:names}: no cap is known to hold"
    ACCOUNT_RESET = (
        "{positions:gone} gone without a trade or transfer, and {equity:usd} of cash is there: the account looks "
        "reset; if it was, accept its new books with: {command:text}"
    )
    ACCOUNT_CONTRADICTS = (
        "the broker says equity is {equity:usd}, but its cash and positions are worth {worth:usd}: the reading "
        "contradicts itself, or the account holds what this program does not trade"
    )

    # how the cycle ended
    ORDERS = "{orders:count} order{orders:s}: {reduce:count} reduce, {increase:count} increase"
    ORDERS_FILLED = "{filled:count} of {orders:count} order{orders:s} filled"
    TRADES_DENIED = (
        "{trades:count} trade{trades:s} beyond the band denied, "
        "the largest a drift of {drift:points} pp: {largest:text}"
    )
    AT_TARGETS = "positions match their targets"
    OFF_BUT_SMALL = "{names:count} name{names:s} off by less than one lot or the minimum trade"
    DRIFT_DUE = (
        "{symbol:text} is {drift:points} pp off its target, more than the {limit:points} pp of execution.schedule"
    )
    DRIFT_NOT_DUE = (
        "no name is more than {limit:points} pp off its target (execution.schedule), the farthest {drift:points} pp"
    )
    AT_TARGETS_BUT = "positions match their targets but for {outcomes:names}"

    # positions that do not agree with the books
    FROZEN = "{outcome:text}: {why:reasons}"
    UNEXPLAINED = (
        "{held:number} shares at the broker, {expected:number} expected, no known cause; "
        "adopted when it reads the same again"
    )
    ORDER_UNKNOWN = "the broker has not told the state of order {order:text}"
    UNKNOWN_WORD = "{said:text}, which this program does not know"
    ORDER_NOT_OURS = "an order that is not ours ({side:text} {qty:number}) still {effect:text} this position"
    ORDERS_ON_BOTH_SIDES = (
        "orders of ours still buy {buys:number} and sell {sells:number}: nothing is sent until one side ends"
    )
    OPENING_BALANCE = "opening balance: {qty:number} shares"
    EXPLAINED = "{kind:words} of {qty:number} shares ({reference:text})"
    COIN_FEE = "a fee of {qty:number} coins"
    READ_TWICE = "read twice as {qty:number} shares: adopted"
    NOT_AS_EXPECTED = "{held:number} shares, expected {expected:number}"

    # signals that cannot be acted upon
    SCORE_OUT_OF_RANGE = "score {score:text} is not in [-1, 1]"
    CONFIDENCE_OUT_OF_RANGE = "confidence {confidence:text} is not in [0, 1]"
    TARGET_OUT_OF_RANGE = "a target weight of {target:number} is not in [-{limit:number}, {limit:number}]: percent?"
    ISSUED_IN_FUTURE = "issued in the future, at {at:moment}"
    STOP_NOT_POSITIVE = "the stop price is not positive"
    STOP_ON_WRONG_SIDE = "the stop {stop:number} is on the wrong side of the price {price:number}"
    SYMBOL_UNKNOWN = "the broker does not know this symbol"
    SUPERSEDED = "{source:text} has a newer signal, {newer:text}"
    TARGET_STANDS = "{source:text} gives a target weight, {target:text}, which stands above any score"
    TARGET_OLD = "issued {age:whole} minutes ago; signals.targets_max_age is {limit:short}"
    SIGNAL_OLD = "issued {age:whole} minutes ago; signals.max_age_minutes is {limit:short}"
    VOTE_OLD = "issued {age:whole} minutes ago; a vote of {source:text} counts for {limit:short} minutes"
    CONFIDENCE_LOW = "confidence {confidence:hundredths} is below {limit:hundredths}"
    NOT_TRADABLE = "the broker does not trade it at the moment"
    CLOSED_BY_KILL = "closed by kill at {at:clock} UTC; only a newer signal opens it again"
    CLOSED_BY_EXIT = "a stop or target closed it at {at:clock} UTC; only a newer signal opens it again"

    # quotes that cannot be traded on
    NO_QUOTE = "no quote"
    QUOTE_ONE_SIDED = "the quote has one side only"
    QUOTE_NOT_POSITIVE = "the quote is not positive"
    QUOTE_CROSSED = "the quote is crossed: bid {bid:number} above ask {ask:number}"
    QUOTE_OLD = "the quote is {age:whole} s old; quotes.max_age_seconds is {limit:short}"
    QUOTE_FROM_FUTURE = "the quote is from the future ({age:whole} s)"
    QUOTE_WIDE = "the spread of {spread:tenths} is wider than quotes.max_spread {limit:tenths}"
    UNTRADABLE = "held, but it cannot be traded or priced now"

    # what a signal supports
    SCORE = "score {score:signed} x confidence {confidence:hundredths}"
    REGIME = "{regime:text}: confidence x {confidence:hundredths}, gross x {gross:hundredths}"
    REGIME_OF_TARGET = "{regime:text}: x {gross:hundredths}"
    REGIME_CLOSED = "{regime:text}: nothing is held in this regime"
    TARGET_OF_EQUITY = "target {target:weight} of equity = {weight:weight} of capital"
    TARGET_OF_CAPITAL = "target {target:weight} of capital"
    TARGET_ZERO = "a target weight of 0 asks for no position"
    TARGETS_CANCEL = "its target weights cancel out to 0, which asks for no position"
    NO_LONG = "score {score:signed} supports no long position"
    SOURCES_WITHOUT_WEIGHT = "none of its sources has a weight: no position is supported"
    SAYS_HOLD = "hold: nothing is opened and nothing closed"
    NO_QUORUM = (
        "{spoke:count} of at least {quorum:count} sources give a score (signals.consensus.quorum): "
        "nothing is opened and nothing closed"
    )
    SCORE_ZERO = "a score of 0 asks for no position"
    SCORES_CANCEL = "its signals cancel out to a score of 0, which asks for no position"
    CONFIDENCE_ZERO = "a confidence of 0 supports no position"
    TOO_WEAK = "|score x confidence| {strength:below}: no position is supported"
    BETWEEN_THRESHOLDS = (
        "|score x confidence| {strength:below}, and not below the exit threshold {exit:short}: "
        "nothing is opened and nothing closed"
    )
    NEUTRAL_HELD = "held as it is (execution.neutral_signals)"
    SHORTS_OFF = "short selling is off (position_sizing.allow_short)"
    CRYPTO_NOT_SHORTABLE = "crypto cannot be sold short"
    ACCOUNT_NOT_SHORTABLE = "the account may not sell short"
    NOT_SHORTABLE = "the broker has no shares to lend"
    NO_SIGNAL = "no usable signal"
    NO_SIGNAL_HELD = "no usable signal: held as it is"
    NO_SIGNAL_CLOSED = "no usable signal, and unsignalled positions are to be closed"

    # what may not be opened
    CONFIDENCE_UNSURE = (
        "confidence {confidence:hundredths} is below {limit:hundredths} (position_sizing.confidence_scaling above_75)"
    )
    VETOED = (
        "{source:text} says {strength:signed} against the consensus of {score:signed} (signals.consensus.veto): "
        "nothing is opened or enlarged"
    )
    COOLS_OFF_SESSION = (
        "a stop closed it at {at:clock} UTC; nothing is opened until the next session (protection.cool_off)"
    )
    COOLS_OFF_UNTIL = "a stop closed it at {at:clock} UTC; nothing is opened until {until:second} (protection.cool_off)"
    STOP_FAR = "the stop is {distance:percent} away; the limit is {limit:percent}"
    TOO_SMALL_FOR_PLACE = "under the caps too small to trade: its place goes to another"
    GROUP_FULL = "{held:count} of at most {limit:count} positions of {group:group} are held"
    POSITIONS_FULL = "{held:count} of at most {limit:count} positions are held"
    LARGER_FIRST = "larger opinions open {opened:count}"

    # what happens to the position, in % of capital
    OPENS = "{now:points} -> {target:points} %: new position"
    BELOW_TARGET = "{now:points} -> {target:points} %: below target"
    ABOVE_TARGET = "{now:points} -> {target:points} %: above target"
    CLOSES = "{now:points} -> {target:points} %: to be closed"
    REVERSES = "{now:points} -> {target:points} %: to be reversed"
    CAPS = "{factors:factors}"
    OWN_CAP = "{rule:rule} {limit:tenths}"
    CAP_EXCEEDED = "{now:points} -> {target:points} %: a cap is exceeded, reduced although the drift is small"

    # nothing worth doing
    WITHIN_BAND = "drift {drift:drift} pp is within the band of ±{band:points} pp"
    NOT_WORTH_COST = (
        "closing the gap of {drift:drift} pp is worth {worth:bp} bp of what it trades, and trading costs {cost:bp} bp "
        "(it is worth that from ±{band:points} pp)"
    )
    COST_UNKNOWN = "no trading cost has been learned: the fixed band counts"
    WITHIN_DRIFT = (
        "{drift:points} pp off its target; nothing is traded while no name is more than {limit:points} pp off "
        "(execution.schedule)"
    )
    AT_TARGET = "holds the target of {qty:number} shares"
    BELOW_ONE_LOT = "the target of {weight:percent} is less than one lot at {price:price}"
    BELOW_MINIMUM = "a trade of {value:usd} is below the minimum of {limit:usd}"
    OPENING_BELOW_MINIMUM = "{value:usd} to open is below the minimum of {limit:usd}"
    OTHER_SIDE_WORKING = "an order of ours on the other side is still working"
    NOT_IN_ONLY = "not among those of selection.only"
    EXCLUDED = "left out by selection.exclude"
    SIDE_EXCLUDED = "selection.side allows only to {side:text}"
    NOT_IN_AT_MOST = "not among those of selection.at_most"

    # what a limit denies or cuts
    NO_ROOM = "no room left: {caps:reasons}"
    NO_ROOM_UNDER = "no room left under {cap:cap}"
    SHARES_RESERVED = "other orders hold all of its shares"
    FEW_SHARES_FREE = "{free:number} of {held:number} shares are free, less than a lot of {lot:number}"
    NOT_CLOSED_YET = "the opposite position is not closed yet"
    NO_WHOLE_LOTS = (
        "no whole number of lots at {price:usd} is between the smallest trade of {smallest:usd} and the largest of "
        "{largest:usd}"
    )
    TURNOVER = "a trade of {value:usd} is beyond selection.max_turnover {limit:percent}"
    BUYING_POWER = "{left:usd} of buying power left"
    ORDERS_AT_ONCE = "{limit:count} orders at once are the most; next cycle"
    ORDERS_PER_EXECUTION = "{limit:count} orders per execution; next cycle"
    ORDERS_PER_DAY = "{limit:count} orders a day are used up"
    ORDERS_RESERVED = "the last {reserved:count} are for reductions"
    ORDERS_PER_SYMBOL = "{sent:count} orders for this symbol today"
    PART_NOW = "{now:number} of {all:number} shares now, the rest later"
    CUT_BY_CAP = "cut from {asked:number} to {qty:number} shares by {cap:cap}"
    CUT_BY_BUYING_POWER = "cut from {asked:number} to {qty:number} shares by buying power"
    SHARES = "{qty:number} shares to {side:text}"

    # how an order ended
    FILLED = "{filled:number} of {asked:number} shares filled"
    FILLED_AT = "{filled:number} of {asked:number} shares filled at {prices:prices}"
    FILLED_AND = "{filled:number} of {asked:number} shares filled: {why:reasons}"
    END_UNKNOWN = "the broker has not told the end"
    END_UNKNOWN_AND = "the broker has not told the end: {why:reasons}"
    WITHHELD = "dry run: nothing was sent"
    DRY_RUN = "dry run"
    REFUSED = "refused"
    CYCLE_ENDED = "the cycle ended first"
    ANSWERED = "{code:text}: {text:text}"
    BROKER_STATE = "the broker says {state:text}"
    FOUND_BY_ID = "found by id"
    ANOTHER_UNDER_ID = "another order stands under its id"
    KEY_REFUSED = "the broker refused the key: {text:text}"
    ANOTHER_PROGRAM = "another program is trading this account under our prefix"
    ACCOUNT_NOT_READ = "the account could not be read again: {text:text}"
    CLOSED_MEANWHILE = "the market closed while positions were reduced"

    # exits
    STOP_REACHED = "{quote:text} {price:number} reached the stop {level:number}"
    TARGET_REACHED = "{quote:text} {price:number} reached the target {level:number}"
