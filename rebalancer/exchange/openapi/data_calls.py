"""The calls of market data."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from rebalancer.exchange.openapi.call import MOMENT, Call, asked
from rebalancer.exchange.openapi.objects import (
    COUNT,
    DAY,
    FLAG,
    ID,
    NUMBER,
    OBJECTS,
    TEXT,
    TIME,
    Schema,
    by_symbol,
    closed,
    each,
    or_null,
    refer,
    rows,
    words,
)

_OBJECTS: Final = {"quotes": "Quote", "trades": "Trade", "bars": "Bar"}
_TOKEN: Final = {"next_page_token": or_null(TEXT)}
_TIMEFRAME: Final = asked("timeframe", TEXT, required=True, example="1Day")
_ADJUSTMENT: Final = asked("adjustment", words("raw", "split", "dividend", "all"))
_SORT: Final = asked("sort", words("asc", "desc"))
_PRINT: Final = closed({"t": TIME, "x": TEXT, **each(NUMBER, "p s"), "c": TEXT})
_AUCTIONS: Final = closed({"d": DAY, "o": rows(_PRINT), "c": rows(_PRINT)})
_SIDE: Final = rows(closed(each(NUMBER, "p s")))
_BOOK: Final = closed({"t": TIME, "b": _SIDE, "a": _SIDE})
_MOVER: Final = closed({"symbol": TEXT, **each(NUMBER, "percent_change change price")})
_ACTIVE: Final = closed({"symbol": TEXT, "volume": NUMBER, "trade_count": COUNT})
_DATES: Final = each(DAY, "ex_date process_date payable_date record_date")
_ACTION: Final = {"id": ID, "symbol": TEXT, **_DATES}
_SPLIT: Final = each(COUNT, "new_rate old_rate")
_ACTIONS: Final = {
    "cash_dividends": closed({**_ACTION, "cusip": TEXT, "rate": NUMBER, **each(FLAG, "special foreign")}),
    "forward_splits": closed({**_ACTION, "cusip": TEXT, **_SPLIT}),
    "reverse_splits": closed({**_ACTION, **each(TEXT, "old_cusip new_cusip"), **_SPLIT}),
}


class _Family(NamedTuple):
    """Calls that differ in little but their root."""

    root: str
    latest: str
    example: str
    kinds: tuple[str, ...]
    common: tuple[dict[str, Any], ...]
    errors: tuple[int, ...]
    needs_keys: bool = True


_STOCKS: Final = _Family(
    "/v2/stocks",
    "/v2/stocks/{kind}/latest",
    "AAPL,MSFT",
    ("quotes", "trades", "bars", "auctions"),
    (
        asked("feed", words("sip", "iex", "delayed_sip", "boats", "overnight", "otc")),
        asked("currency", words("USD")),
        asked("asof", DAY),
    ),
    (400, 401, 429),
)
_CRYPTO: Final = _Family(
    "/v1beta3/crypto/{loc}",
    "/v1beta3/crypto/{loc}/latest/{kind}",
    "BTC/USD",
    tuple(_OBJECTS),
    (),
    (400, 429),
    needs_keys=False,
)
_OLD_CRYPTO: Final = _Family(
    "/v1beta1/crypto",
    "/v1beta1/crypto/{kind}/latest",
    "BTCUSD,ETHUSD",
    tuple(_OBJECTS),
    (asked("exchange", words("ERSX", "CBSE", "FTXU")),),
    (400, 401, 429),
)


def data_calls() -> dict[str, Call]:
    """All of them, by method and path."""
    found = {**_several(_STOCKS), **_several(_CRYPTO), **_several(_OLD_CRYPTO)}
    return {**found, **_one(_STOCKS), **_one(_OLD_CRYPTO), **_MORE}


def _several(family: _Family) -> dict[str, Call]:
    """Calls on several symbols."""
    symbols = asked("symbols", TEXT, required=True, example=family.example)
    query = (symbols, *family.common)

    def call(summary: str, answer: Schema, query: tuple[dict[str, Any], ...]) -> Call:
        return Call(summary, answer, 200, family.errors, query, needs_keys=family.needs_keys)

    found = {
        f"GET {family.latest.replace('{kind}', kind)}": call(
            f"The latest {kind}", _answered({kind: by_symbol(refer(name))}, family), query
        )
        for kind, name in _OBJECTS.items()
    }
    if family is _CRYPTO:
        found[f"GET {family.latest.replace('{kind}', 'orderbooks')}"] = call(
            "The latest order books", closed({"orderbooks": by_symbol(_BOOK)}), query
        )
    whole = by_symbol(refer("Snapshot"))
    found[f"GET {family.root}/snapshots"] = call(
        "Latest trade, quote and bars", closed({"snapshots": whole}) if family is _CRYPTO else whole, query
    )
    for kind in family.kinds:
        answer = _answered({kind: by_symbol(rows(_row(kind))), **_TOKEN}, family)
        found[f"GET {family.root}/{kind}"] = call(f"A page of {kind}", answer, (symbols, *_page_query(family, kind)))
    return found


def _one(family: _Family) -> dict[str, Call]:
    """Calls on one symbol."""
    root, missing = f"{family.root}/{{symbol}}", (*family.errors, 404)
    found = {
        f"GET {root}/{kind}/latest": Call(
            f"The latest {kind.removesuffix('s')}",
            _answered({"symbol": TEXT, kind.removesuffix("s"): refer(name)}, family),
            200,
            missing,
            family.common,
        )
        for kind, name in _OBJECTS.items()
    }
    one = (
        _answered({"symbol": TEXT, **OBJECTS["Snapshot"]["properties"]}, family)
        if family is _STOCKS
        else refer("Snapshot")
    )
    found[f"GET {root}/snapshot"] = Call("Latest trade, quote and bars", one, 200, missing, family.common)
    for kind in family.kinds:
        answer = _answered({kind: rows(_row(kind)), "symbol": TEXT, **_TOKEN}, family)
        found[f"GET {root}/{kind}"] = Call(f"A page of {kind}", answer, 200, family.errors, _page_query(family, kind))
    return found


def _answered(properties: dict[str, Schema], family: _Family) -> Schema:
    """An answer, of stocks with the currency where it is asked for."""
    return closed({**properties, "currency": words("USD")}, ("currency",)) if family is _STOCKS else closed(properties)


def _row(kind: str) -> Schema:
    return _AUCTIONS if kind == "auctions" else refer(_OBJECTS[kind])


def _page_query(family: _Family, kind: str) -> tuple[dict[str, Any], ...]:
    """What a page can be asked for."""
    bars = (_TIMEFRAME, *((_ADJUSTMENT,) if family is _STOCKS else ())) if kind == "bars" else ()
    return (*bars, *_span(10_000), *family.common)


def _span(limit_max: int) -> tuple[dict[str, Any], ...]:
    return (
        asked("start", MOMENT),
        asked("end", MOMENT),
        asked("limit", {"type": "integer", "minimum": 1, "maximum": limit_max}),
        _SORT,
        asked("page_token", TEXT),
    )


def _top(largest: int) -> dict[str, Any]:
    return asked("top", {"type": "integer", "minimum": 1, "maximum": largest})


_MORE: Final = {
    "GET /v2/stocks/meta/exchanges": Call("Codes of venues", by_symbol(TEXT), errors=(401, 429)),
    "GET /v2/stocks/meta/conditions/{ticktype}": Call(
        "Codes of conditions",
        by_symbol(TEXT),
        errors=(400, 401, 429),
        query=(asked("tape", words("A", "B", "C"), required=True, example="A"),),
    ),
    "GET /v1/corporate-actions": Call(
        "Splits and cash dividends that have been announced, by ex-date",
        closed({"corporate_actions": closed({kind: rows(one) for kind, one in _ACTIONS.items()}, tuple(_ACTIONS)),
                **_TOKEN}),
        errors=(400, 401, 429),
        query=(
            *(asked(name, TEXT) for name in ("symbols", "cusips", "types", "ids")),
            asked("region", words("us", "non_us", "all")),
            asked("data_quality", words("complete", "all")),
            asked("start", DAY),
            asked("end", DAY),
            asked("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
            _SORT,
            asked("page_token", TEXT),
        ),
    ),
    "GET /v1beta1/news": Call(
        "No news: nobody writes any here",
        closed({"news": {"type": "array", "maxItems": 0}, **_TOKEN}),
        errors=(400, 401, 429),
        query=(
            asked("symbols", TEXT),
            asked("start", MOMENT),
            asked("end", MOMENT),
            asked("limit", {"type": "integer", "minimum": 1, "maximum": 50}),
            _SORT,
            asked("include_content", FLAG),
            asked("exclude_contentless", FLAG),
            asked("page_token", TEXT),
        ),
    ),
    "GET /v1beta1/screener/stocks/most-actives": Call(
        "What is traded most today",
        closed({"most_actives": rows(_ACTIVE), "last_updated": TIME}),
        errors=(400, 401, 429),
        query=(asked("by", words("volume", "trades")), _top(100)),
    ),
    "GET /v1beta1/screener/{market_type}/movers": Call(
        "What has gained and lost most today",
        closed({**each(rows(_MOVER), "gainers losers"), "market_type": words("stocks", "crypto"),
                "last_updated": TIME}),
        errors=(400, 401, 429),
        query=(_top(50),),
    ),
}  # fmt: skip
