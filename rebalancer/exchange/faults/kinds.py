"""Every kind of fault: where it strikes and which parameters it takes."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Site = Literal["request", "order", "quote", "stream"]
Shape = Literal["number", "count", "text", "flag", "object"]


class Parameter(NamedTuple):
    """One parameter: its shape, the value when it is left out (None: it must be given), and the largest number."""

    shape: Shape
    default: object
    largest: float = 1e6


class Kind(NamedTuple):
    """One kind of fault. `on` is the request it strikes unless the rule says otherwise ("" at the other sites)."""

    site: Site
    on: str
    parameters: dict[str, Parameter]
    meaning: str


_POST, _ANY, _READ = "POST /v2/orders", "* /v2/*", "GET /v2/*"
_SECONDS_60 = Parameter("number", 10.0, 3600.0)

KINDS: Final[dict[str, Kind]] = {
    "lost_before": Kind("request", _POST, {}, "the connection is reset and nothing was done"),
    "lost_after": Kind("request", _POST, {}, "the request is carried out, then the connection is reset"),
    "late": Kind(
        "request", _POST, {"seconds": Parameter("number", 5.0, 86_400.0), "answer": Parameter("text", "reset")},
        "no answer (reset, or `answer: 504`); carried out so many simulated seconds later",
    ),
    "delivered_twice": Kind("request", _POST, {}, "carried out twice; the second answer is sent"),
    "hang": Kind(
        "request", _POST, {"booked": Parameter("flag", False), "seconds": Parameter("number", 3600.0, 86_400.0)},
        "no answer for so many seconds of wall time, then a reset; with `booked` the request is carried out first",
    ),
    "drip": Kind(
        "request", _ANY, {"bytes_per_second": Parameter("number", 1.0)}, "the answer comes byte by byte",
    ),
    "rate_limit": Kind(
        "request", _ANY, {"retry_after": Parameter("count", 0)}, "429; a burst is `times: 5`",
    ),
    "http_error": Kind(
        "request", _ANY,
        {"status": Parameter("count", 502, 599), "booked": Parameter("flag", False), "json": Parameter("flag", False)},
        "5xx with an HTML page, or with Alpaca's JSON; with `booked` the request is carried out first",
    ),
    "malformed": Kind("request", _ANY, {}, "200 with something that is almost JSON; the request is carried out"),
    "truncated": Kind(
        "request", _ANY, {"share": Parameter("number", 0.5, 1.0)}, "the answer ends in the middle; it is carried out",
    ),
    "unknown_enum": Kind(
        "request", _READ, {"field": Parameter("text", "status"), "value": Parameter("text", "quantum")},
        "a field holds a word that no client knows",
    ),
    "missing_field": Kind("request", _READ, {"field": Parameter("text", "status")}, "a field is not there"),
    "set_field": Kind(
        "request", _READ, {"field": Parameter("text", None), "value": Parameter("object", None)},
        "a field holds another value",
    ),
    "refuse": Kind(
        "request", _POST, {"reason": Parameter("text", "buying_power")}, "one of the known refusals, by its name",
    ),
    "account_flags": Kind(
        "request", "* /v2/*", {"set": Parameter("object", None)},
        "the account shows these flags; a blocking one refuses orders too",
    ),
    "positions_lag": Kind(
        "request", "GET /v2/positions*", {"seconds": _SECONDS_60}, "positions as they were so many seconds ago",
    ),
    "orders_lag": Kind(
        "request", "GET /v2/orders*", {"seconds": _SECONDS_60}, "orders younger than this are not found yet",
    ),
    "clock_skew": Kind(
        "request", _ANY, {"seconds": Parameter("number", 30.0, 1e8)},
        "Date header and /v2/clock are off by so many seconds; negative is late",
    ),
    "human_trade": Kind(
        "request", _POST, {"order": Parameter("object", None)}, "a human's order arrives just before the request",
    ),
    "partial_fill": Kind(
        "order", "", {}, "the first fill is only 30 to 70 % of the order",
    ),
    "cancel_race": Kind(
        "order", "", {"partial": Parameter("flag", False)},
        "the cancellation is accepted, but the order fills first; with `partial` only a part of it",
    ),
    "cancel_stuck": Kind(
        "order", "", {}, "the cancellation is accepted and never happens; nor does the order fill before it expires",
    ),
    "venue_reject": Kind("order", "", {}, "accepted, then rejected by the venue"),
    "stale_quote": Kind("quote", "", {"seconds": Parameter("number", 900.0, 1e6)}, "the quote of so long ago"),
    "stale_price": Kind("quote", "", {"seconds": Parameter("number", 900.0, 1e6)}, "quote and trade of so long ago"),
    "crossed_quote": Kind("quote", "", {}, "the bid is above the ask"),
    "zero_quote": Kind("quote", "", {}, "prices and sizes are 0"),
    "absurd_quote": Kind("quote", "", {"factor": Parameter("number", 100.0)}, "prices are so many times too high"),
    "stream_drop": Kind("stream", "", {}, "the stream breaks off before the event, which is never sent"),
    "stream_lose": Kind("stream", "", {}, "the event is not sent"),
    "stream_duplicate": Kind("stream", "", {}, "the event is sent twice"),
    "stream_reorder": Kind("stream", "", {}, "the event comes after the next one"),
    "stream_mute": Kind("stream", "", {}, "from this event on the connection stays up and says nothing"),
}  # fmt: skip

COMMON: Final[dict[Site, tuple[str, ...]]] = {
    "request": ("name", "kind", "probability", "skip", "times", "request"),
    "order": ("name", "kind", "probability", "skip", "times", "symbols"),
    "quote": ("name", "kind", "probability", "skip", "times", "symbols"),
    "stream": ("name", "kind", "probability", "skip", "times", "event"),
}
