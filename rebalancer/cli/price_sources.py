"""Where the prices of a backtest come from: files, the journal, or a broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from rebalancer.brokers.protocol import Adjustment, PriceBar, Timeframe
from rebalancer.cli.errors import BadUsage, choice
from rebalancer.cli.progress import Counted, counted_progress
from rebalancer.core.documents import BadDocument
from rebalancer.core.new_york import day_in_new_york, from_new_york
from rebalancer.core.values import symbol_of
from rebalancer.core.venue_rules import ALPACA

if TYPE_CHECKING:
    from rebalancer.brokers.read_only import ReadOnlyBroker
    from rebalancer.research.price_files import PriceHistory
    from rebalancer.session.setup import Setup

DAYS_BACK: Final = 730  # calendar days of a broker's closes, without --from
SHOWN: Final = 5  # names in a message
SIMULATED: Final = "the prices are the embedded exchange's: simulated, not the market's"


class PriceOptions(NamedTuple):
    """What was asked for. prices: a path, or `journal`, `broker` or `broker:5Min` when no file is called so. symbols:
    of a broker's bars, instead of the names in the instructions. is_raw: unadjusted, as a file of actions needs it."""

    prices: Path
    instructions: Path
    symbols: str | None
    first: date | None
    last: date | None
    is_raw: bool


def prices_given(options: PriceOptions, setup: Setup) -> Path | PriceHistory:
    """The path of a file or folder, or the prices that were asked for. Raises BadDocument, BrokerUnavailable and
    CredentialsRefused."""
    source, colon, word = str(options.prices).partition(":")
    if options.prices.exists() or not (source == "broker" or (source == "journal" and not colon)):
        return options.prices
    if source == "journal":
        return _of_journal(setup)
    return _bars(options, setup, word) if colon else _daily_closes(options, setup)


def _of_journal(setup: Setup) -> PriceHistory:
    from rebalancer.journal import Journal
    from rebalancer.research.recorded_prices import prices_of_journal

    if not setup.has_journal:
        raise BadDocument("--prices", f"nothing has been run yet in {setup.mode} mode", "rebalancer run-now")
    with Journal.open(setup.journal) as journal:
        return prices_of_journal(journal)


def _daily_closes(options: PriceOptions, setup: Setup) -> PriceHistory:
    from rebalancer.cli.at_broker import read_only
    from rebalancer.research.recorded_prices import prices_of_closes

    with read_only(setup) as broker:
        now = broker.clock().now
        since = DAYS_BACK if options.first is None else max((now.date() - options.first).days, 1)
        names = _names(options, setup, now)
        known = {instrument.symbol for instrument in broker.instruments()}
        closes = broker.daily_closes([name for name in names if name in known], since * 5 // 7 + 5)
    return prices_of_closes(closes, "the broker")


def _bars(options: PriceOptions, setup: Setup, word: str) -> PriceHistory:
    from rebalancer.cli.at_broker import read_only

    known: tuple[Timeframe, ...] = get_args(Timeframe)
    choice("--prices broker:...", word, known)
    timeframe = next(one for one in known if one == word)
    if options.first is None or options.last is None:
        raise BadUsage(f"--prices broker:{word}", "needs the days that are asked for", "give --from and --to")
    if options.first > options.last:
        raise BadUsage("--from", f"{options.first} is after --to, {options.last}", "give the earlier day first")
    given = _given(options.symbols)
    if given is not None:
        _refuse_crypto(options, given)  # before anything is asked for
    with read_only(setup) as broker:
        history = _asked(options, setup, broker, timeframe, options.first, options.last)
    if setup.mode == "simulated":
        return history._replace(warnings=(*history.warnings, SIMULATED))
    return history


def _asked(
    options: PriceOptions, setup: Setup, broker: ReadOnlyBroker, timeframe: Timeframe, first: date, last: date
) -> PriceHistory:
    from rebalancer.market_data.trading_calendar import published_hours
    from rebalancer.research.broker_bars import days_in_parts, prices_of_bars

    now = broker.clock().now
    begin = from_new_york(first, time())
    if begin > now:
        raise BadUsage("--from", f"{first} has not begun yet", "give a day that is over")
    names = _names(options, setup, now)
    _refuse_crypto(options, names)
    end = min(from_new_york(last + timedelta(days=1), time()) - timedelta(microseconds=1), now)
    place = "the embedded exchange" if setup.mode == "simulated" else "the broker"
    adjustment: Adjustment = "raw" if options.is_raw else "all"
    whole = (day_in_new_york(end) - first).days + 1

    def parts(heard: Counted) -> Iterator[Mapping[str, Sequence[PriceBar]]]:
        for since, until in days_in_parts(first, day_in_new_york(end), len(names), timeframe):
            heard(f"asking {place} for bars", (since - first).days, whole)
            close = from_new_york(until + timedelta(days=1), time()) - timedelta(microseconds=1)
            yield broker.bars(names, timeframe, from_new_york(since, time()), min(close, end), adjustment)

    with counted_progress("backtest", "days") as heard:
        history = prices_of_bars(parts(heard), timeframe, published_hours(first, last), now, place)
    missing = [name for name in names if name not in history.market.symbols]
    if missing:
        hint = "are they spelled as the broker spells them, and were they traded then? Leave them out"
        raise _wrong(options, f"{place} has no bars of {_listed(missing)} from {first} to {last}", hint)
    return history


def _names(options: PriceOptions, setup: Setup, now: datetime) -> tuple[str, ...]:
    """The symbols to ask for, each once. Raises BadDocument."""
    given = _given(options.symbols)
    if given is not None:
        return given
    from rebalancer.research.instruction_files import names_of

    return names_of(options.instructions, setup.rules, now)


def _given(symbols: str | None) -> tuple[str, ...] | None:
    try:
        return None if symbols is None else tuple(sorted({symbol_of(word) for word in symbols.split(",")}))
    except ValueError as error:
        raise BadUsage("--symbols", str(error), "write them as AAPL,MSFT") from None


def _refuse_crypto(options: PriceOptions, names: Sequence[str]) -> None:
    crypto = [name for name in names if ALPACA.asset_class(name) == "crypto"]
    if crypto:
        raise _wrong(options, f"{_listed(crypto)}: bars of crypto are not asked for", "give their bars as a file")


def _wrong(options: PriceOptions, problem: str, hint: str) -> BadDocument:
    """The error about a name, which was written on the command line or stands in a file."""
    if options.symbols is None:
        return BadDocument(str(options.instructions), problem, hint)
    return BadUsage("--symbols", problem, hint)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
