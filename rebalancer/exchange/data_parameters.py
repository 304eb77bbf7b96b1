"""Parameters of market data calls. The data API is strict: what it does not know it answers with 400 and no code."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import date
from typing import Final, NamedTuple

from rebalancer.exchange import parameters as read
from rebalancer.exchange.errors import bad_parameter
from rebalancer.exchange.market.adjustment import MODES
from rebalancer.exchange.market.frames import Frame, frame_of
from rebalancer.exchange.market.prices import DAY_MICROS
from rebalancer.exchange.parameters import Parameters

LIMIT_DEFAULT: Final = 1000
LIMIT_MAX: Final = 10_000
FEEDS: Final = ("sip", "iex", "delayed_sip", "boats", "overnight", "otc")
LOCATIONS: Final = ("us", "us-1", "us-2", "eu-1", "bs-1")  # of crypto, in v1beta3: they all show the one market
VENUES: Final = ("ERSX", "CBSE", "FTXU")  # of crypto, in v1beta1
_PAIR: Final = re.compile(r"[A-Z]+x?/[A-Z]+")
_FAR: Final = 2**62
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Place(NamedTuple):
    """Where a page begins: a symbol and a moment."""

    symbol: str
    at: int

    @property
    def token(self) -> str:
        """The page token."""
        return base64.urlsafe_b64encode(f"{self.symbol}|{self.at}".encode()).decode()


class Span(NamedTuple):
    """What a page is asked for. `start` None is the beginning of the day, `end` None is now."""

    start: int | None
    end: int | None
    limit: int
    newest_first: bool
    place: Place | None


def span_of(parameters: Parameters, *, limit_default: int = LIMIT_DEFAULT, limit_max: int = LIMIT_MAX) -> Span:
    """Start, end, limit, sort and page token. Raises ApiError 400."""
    start, end = moment_of(parameters, "start"), moment_of(parameters, "end")
    if end is not None and _is_day(parameters["end"]):
        end += DAY_MICROS - 1  # a plain date means all of it
    if start is not None and end is not None and end < start:
        raise bad_parameter("end should not be before start")
    newest_first = word(parameters, "sort", ("asc", "desc")) == "desc"
    limit = count_of(parameters, "limit", limit_default, limit_max)
    return Span(start, end, limit, newest_first, _place(parameters.get("page_token", "")))


def common(parameters: Parameters, *, crypto: bool) -> None:
    """Check what changes nothing here, since there is one market and one currency. Raises ApiError 400."""
    if crypto:
        for name in ("exchange", "exchanges"):
            if any(venue not in VENUES for venue in read.names(parameters, name)):
                raise bad_parameter(f"invalid {name}: {parameters[name][:40]}")
        return
    word(parameters, "feed", FEEDS)
    word(parameters, "currency", ("USD",))
    asof = parameters.get("asof", "")
    if asof and asof != "-" and not _is_day(asof):
        raise bad_parameter(f"Invalid format for parameter asof: {asof[:40]} is not a date")


def location(name: str) -> None:
    """Check where a crypto market is. Raises ApiError 400."""
    if name not in LOCATIONS:
        raise bad_parameter(f"invalid location: {name[:24]}")


def timeframe(parameters: Parameters) -> Frame:
    """The width of bars. Raises ApiError 400."""
    text = parameters.get("timeframe", "")
    found = frame_of(text)
    if found is None:
        raise bad_parameter(f"invalid timeframe: {text[:20]}")
    return found


def adjustment(parameters: Parameters) -> str:
    """How bars are adjusted. Raises ApiError 400."""
    return word(parameters, "adjustment", MODES)


def word(parameters: Parameters, name: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words, the first when absent. Raises ApiError 400."""
    text = parameters.get(name, "") or allowed[0]
    if text not in allowed:
        raise bad_parameter(f"invalid {name}: {text[:40]}")
    return text


def count_of(parameters: Parameters, name: str, default: int, largest: int) -> int:
    """A number from 1 on. Raises ApiError 400."""
    text = parameters.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise bad_parameter(f"invalid {name}: {text[:20]}")
    if int(text) > largest:
        raise bad_parameter(f"invalid {name}: larger than the allowed maximum of {largest}")
    return int(text)


def moment_of(parameters: Parameters, name: str) -> int | None:
    """A time or a date in microseconds; None when absent. Raises ApiError 400."""
    text = parameters.get(name, "")
    if not text:
        return None
    found = read.read_moment(text)
    if found is None:
        raise bad_parameter(f"Invalid format for parameter {name}: {text[:40]} is neither an RFC 3339 time nor a date")
    return found


def day_of(parameters: Parameters, name: str, default: date) -> date:
    """A date; of a time the date as it is written. Raises ApiError 400."""
    text = parameters.get(name, "")
    if not text:
        return default
    found = read.read_date(text)
    if found is None:
        raise bad_parameter(f"Invalid format for parameter {name}: {text[:40]} is not a date")
    return found


def symbols_of(parameters: Parameters) -> list[str]:
    """The symbols asked for, each once. Raises ApiError 400."""
    found = list(dict.fromkeys(read.names(parameters, "symbols")))
    if not found:
        raise bad_parameter("symbols is required")
    return found


def pairs_of(parameters: Parameters) -> list[str]:
    """The crypto pairs asked for, with their slash. Raises ApiError 400."""
    found = symbols_of(parameters)
    for name in found:
        if not _PAIR.fullmatch(name):
            raise bad_parameter(f"invalid symbol: {name[:24]} does not match ^[A-Z]+x?/[A-Z]+$")
    return found


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _place(text: str) -> Place | None:
    if not text:
        return None
    try:
        name, _, at = base64.urlsafe_b64decode(text).decode().partition("|")
        place = Place(name, int(at))
    except (ValueError, binascii.Error):
        raise bad_parameter("invalid page_token") from None
    if abs(place.at) > _FAR:
        raise bad_parameter("invalid page_token")
    return place
