"""Every refusal that Alpaca is known to send, and what becomes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.brokers.alpaca.refusals import MESSAGE_LENGTH_MAX, error_body, plain_words, reason_of, refusal_of
from tests.brokers.making import an_order, scripted
from tests.support.scripted_server import reply

REFUSALS: list[tuple[int, int | None, str, str]] = [
    (401, None, "unauthorized.", "auth"),
    (401, None, "Unauthorized", "auth"),
    (401, 40110000, "request is not authorized", "auth"),
    (403, None, "Forbidden", "auth"),
    (422, 40010001, "qty or notional is required", "invalid"),
    (422, 40010001, "only one of qty or notional is accepted", "invalid"),
    (422, 40010001, "qty must be > 0", "invalid"),
    (422, 40010001, "limit price must be > 0", "invalid"),
    (422, 40010001, "invalid order type", "invalid"),
    (422, 40010001, "invalid side", "invalid"),
    (422, 40010001, "invalid time_in_force", "invalid"),
    (422, 40010001, "market orders require no stop or limit price", "invalid"),
    (422, 40010001, "limit orders require a limit price", "invalid"),
    (422, 40010001, "stop limit orders require both stop and limit price", "invalid"),
    (422, 40010001, "trailing stop orders must specify one of trail_price or trail_percent", "invalid"),
    (422, 40010001, "client_order_id must be no more than 128 characters", "invalid"),
    (422, 40010001, "order_id is missing", "invalid"),
    (422, 42210000, 'asset "XXX" not found', "not_found"),
    (422, 42210000, 'asset "HALT" is not tradable', "not_tradable"),
    (422, 42210000, "extended hours order must be DAY or GTC limit orders", "invalid"),
    (422, 42210000, "stop orders are not eligible for extended hours trading", "invalid"),
    (422, 42210000, "fractional orders must be DAY orders", "invalid"),
    (422, 42210000, "fractional orders must be simple orders", "invalid"),
    (422, 42210000, "invalid crypto time_in_force", "invalid"),
    (422, 42210000, "notional value must be limited to 2 decimal places", "invalid"),
    (
        422,
        42210000,
        "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
        "invalid",
    ),
    (422, 42210000, "bracket orders must be entry orders", "invalid"),
    (
        422,
        42210000,
        "position intent mismatch, inferred: sell_to_open, specified: sell_to_close",
        "position_intent",
    ),
    (422, 42210000, "notional must be >= 1.00", "min_size"),
    (422, 42210000, 'only day orders are allowed for hard-to-borrow asset "GVH"', "day_only"),
    (422, 42210000, 'asset "EIDO" cannot be sold short', "not_shortable"),
    (422, 42210000, "fractional orders cannot be sold short", "not_shortable"),
    (422, 42210000, "potential wash trade detected. use complex orders", "wash_trade"),
    (403, 40310000, "insufficient buying power", "buying_power"),
    (403, 40310000, "insufficient qty available for order (requested: 1000, available: 0)", "qty_held"),
    (403, 40310000, "insufficient balance for ETH (requested: 13.338989, available: 13.33898895)", "qty_held"),
    (403, 40310000, "potential wash trade detected. use complex orders", "wash_trade"),
    (403, 40310000, "cannot open a long buy while a short sell order is open", "opposite_side"),
    (403, 40310000, "cannot open a short sell while a long buy order is open", "opposite_side"),
    (
        403,
        None,
        "unable to open new notional orders while having open closing position orders",
        "opposite_side",
    ),
    (403, 40310000, 'asset "OCGN" is not fractionable', "not_fractionable"),
    (403, 40310000, "requested asset is not fractionable", "not_fractionable"),
    (403, 40310000, "fractional trading is disabled for this account", "not_fractionable"),
    (403, 40310000, "cost basis must be >= minimal amount of order 10", "min_size"),
    (403, 40310000, "account is not allowed to short", "short_restricted"),
    (403, 40310000, "account is not authorized to trade", "unauthorized"),
    (403, 40310000, "account not allowed to use advanced_instructions", "unauthorized"),
    (403, None, "insufficient permission", "unauthorized"),
    (403, 40310000, "account is restricted to liquidation only", "suspended"),
    (403, 40310000, "new orders are rejected by user request", "suspended"),
    (403, 40310000, "opg orders must be submitted after 7:00pm and before 9:28am", "market_closed"),
    (403, 40310000, "market is closed", "market_closed"),
    (403, 40310100, "trade denied due to pattern day trading protection", "day_trading"),
    (403, 40310000, "insufficient day trading buying power", "day_trading"),
    (403, 40310000, "words that nobody has met", "other"),
    (404, 40410000, "symbol not found: XXX", "not_found"),
    (404, 40410000, "position does not exist", "not_found"),
]


@pytest.mark.parametrize(("status", "code", "message", "reason"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal(status: int, code: int | None, message: str, reason: str) -> None:
    body = {"message": message, "symbol": "AAPL"} | ({} if code is None else {"code": code})
    assert refusal_of(status, json.dumps(body)) == ("refused", reason, message)


def test_refusals_travel_through_submit() -> None:
    steps = [
        reply(status, json.dumps({"message": message} | ({} if code is None else {"code": code})))
        for status, code, message, _ in REFUSALS
    ]
    with scripted(steps) as (broker, server):
        got = [broker.submit(an_order()) for _ in REFUSALS]
    assert [(one.kind, one.order, one.reason, one.message) for one in got] == [
        ("refused", None, reason, message) for _, _, message, reason in REFUSALS
    ]
    assert len(server.requests) == len(REFUSALS)


def test_duplicate_id_is_unknown_because_an_earlier_attempt_exists() -> None:
    body = '{"code":40010001,"message":"client_order_id must be unique"}'
    assert refusal_of(422, body) == ("unknown", "duplicate_id", "client_order_id must be unique")


@given(status=st.integers(300, 599), text=st.text(max_size=50))
def test_only_a_4xx_with_an_error_object_is_a_refusal(status: int, text: str) -> None:
    refusal = refusal_of(status, text)
    if refusal.kind == "refused":
        assert 400 <= status < 500
        assert error_body(text) is not None
    else:
        assert (refusal.kind == "not_sent") is (status == 429)


@given(st.text())
def test_foreign_words_become_one_short_printable_line(text: str) -> None:
    line = plain_words(text)
    assert len(line) <= MESSAGE_LENGTH_MAX
    assert line == "" or line.isprintable()


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"message":1}', '{"code":1}', "[" * 100_000, "<html>"])
def test_not_an_error_object(text: str) -> None:
    assert error_body(text) is None


def test_an_unmet_message_is_other() -> None:
    assert reason_of("the moon is full") == "other"
