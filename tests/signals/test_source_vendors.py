"""Every vendor's client against a server that speaks its documented format: answers, error bodies, rate limits and
what cannot be read. No vendor was ever asked in person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rebalancer.signals.sources.alpaca_bars import AlpacaBars
from rebalancer.signals.sources.alpaca_news import AlpacaNews
from rebalancer.signals.sources.alpha_vantage import AlphaVantage
from rebalancer.signals.sources.contract import (
    BudgetSpent,
    KeyRefused,
    QuotaUsed,
    SourceContext,
    SourceGone,
    SourceProblem,
    SourceUnavailable,
    VendorRefused,
    Votes,
    VoteSource,
)
from rebalancer.signals.sources.massive import Massive
from rebalancer.signals.sources.model_answers import INSTRUCTIONS, SCHEMA
from rebalancer.signals.sources.perplexity import Perplexity
from rebalancer.signals.sources.xai import Xai
from tests.signals.vendors import KEYS, NOW, Answers, Asked, Said, VendorServer, bench, spent

PAGE = "https://news.example/aapl"
DAYS = [(NOW - timedelta(days=400 - n)) for n in range(400)]
RISING = np.exp(np.cumsum(np.random.default_rng(3).normal(0.002, 0.01, 400))).tolist()
MODEL_VOTE = {"symbol": "AAPL", "score": 0.5, "confidence": 0.6, "reason": "good quarter", "sources": [PAGE]}


def closes() -> list[dict[str, object]]:
    """Daily bars as Alpaca gives them."""
    return [{"t": f"{day:%Y-%m-%d}T05:00:00Z", "o": 1, "h": 1, "l": 1, "c": round(c, 4), "v": 9, "n": 1, "vw": 1}
            for day, c in zip(DAYS, RISING, strict=True)]  # fmt: skip


def aggregates(status: str = "OK") -> dict[str, object]:
    rows = [{"o": 1, "h": 1, "l": 1, "c": round(c, 4), "v": 9, "t": int(day.timestamp() * 1000)}
            for day, c in zip(DAYS, RISING, strict=True)]  # fmt: skip
    return {"ticker": "AAPL", "queryCount": 400, "resultsCount": 400, "adjusted": True, "results": rows,
            "status": status, "request_id": "r1", "count": 400}  # fmt: skip


def massive_news(*words: str) -> dict[str, object]:
    rows = [
        {"id": f"n{n}", "publisher": {"name": "p"}, "title": "t", "author": "a", "tickers": ["AAPL"], "keywords": [],
         "published_utc": "2026-11-20T12:00:00Z", "article_url": f"{PAGE}{n}", "description": "d",
         "insights": [{"ticker": "AAPL", "sentiment": word, "sentiment_reasoning": "because"}]}
        for n, word in enumerate(words)
    ]  # fmt: skip
    return {"results": [*rows, {"id": "old", "published_utc": "2026-11-20T12:00:00Z", "tickers": ["AAPL"]}],
            "status": "OK", "request_id": "r2", "count": len(rows) + 1}  # fmt: skip


def feed(score: str = "0.30", relevance: str = "0.8") -> dict[str, object]:
    said = {"ticker": "AAPL", "relevance_score": relevance, "ticker_sentiment_score": score,
            "ticker_sentiment_label": "Bullish"}  # fmt: skip
    passing = {**said, "ticker": "MSFT", "ticker_sentiment_score": "-0.9"}
    return {"items": "1", "sentiment_score_definition": "x", "relevance_score_definition": "y",
            "feed": [{"title": "t", "url": PAGE, "time_published": "20261120T120000", "authors": [], "summary": "s",
                      "overall_sentiment_score": 0.2, "ticker_sentiment": [said, passing]}]}  # fmt: skip


def response(
    votes: object, *, urls: tuple[str, ...] = (PAGE,), status: str = "completed", **more: Any
) -> dict[str, Any]:
    """An answer of xAI's Responses API, and of Perplexity's Agent API."""
    text = votes if isinstance(votes, str) else json.dumps({"votes": votes})
    return {
        "id": "resp_1", "created_at": 1763652900, "model": "m", "object": "response", "status": status,
        "output": [
            {"type": "reasoning", "id": "x", "summary": []},
            {"type": "custom_tool_call", "id": "c", "status": "completed", "name": "x_search", "arguments": "{}"},
            {"type": "message", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": text,
                 "annotations": [{"type": "url_citation", "url": url, "title": "t"} for url in urls]}]},
        ],
        "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "num_sources_used": 2}, **more,
    }  # fmt: skip


def agent(votes: object, *, urls: tuple[str, ...] = (PAGE,), **more: Any) -> dict[str, Any]:
    """An answer of the Agent API: what was read stands in items of its own, and usage has a cost."""
    found = response(votes, urls=(), **more)
    results = [{"title": "t", "url": url, "snippet": "s", "date": "2026-11-20"} for url in urls]
    found["output"].insert(0, {"type": "search_results", "queries": ["AAPL"], "results": results})
    found["usage"] |= {"cost": {"currency": "USD", "input_cost": 0.001, "tool_calls_cost": 0.005, "total_cost": 0.007}}
    return found


def sonar(votes: object, *, urls: tuple[str, ...] = (PAGE,)) -> dict[str, Any]:
    text = votes if isinstance(votes, str) else json.dumps({"votes": votes})
    return {"id": "s", "model": "sonar-pro", "choices": [{"message": {"role": "assistant", "content": text}}],
            "citations": list(urls), "search_results": [{"title": "t", "url": url} for url in urls],
            "usage": {"total_tokens": 9, "cost": {"request_cost": 0.006, "total_cost": 0.011}}}  # fmt: skip


def by_path(**bodies: Any) -> Answers:
    """Answer by the end of the path; `news` for both news paths."""

    def answers(one: Asked) -> Said:
        name = "news" if one.path.endswith("/news") else "bars" if "bars" in one.path or "aggs" in one.path else "any"
        body = bodies.get(name, bodies.get("any"))
        return body if isinstance(body, Said) else Said(body)

    return answers


@dataclass(frozen=True)
class Vendor:
    """A vendor: its client, a good answer, and where its key travels."""

    make: Callable[[SourceContext], VoteSource]
    good: Answers
    key: str
    secret: str
    changes: Mapping[str, Any] = field(default_factory=dict)


ALPACA = "APCA_API_KEY_ID"
ARTICLES = {"news": [{"id": 1, "headline": "Apple beats estimates", "summary": "", "symbols": ["AAPL"], "url": PAGE,
                      "created_at": "2026-11-20T14:00:00Z", "source": "b", "author": "a"}],
            "next_page_token": None}  # fmt: skip
VENDORS = {
    "alpaca_bars": Vendor(AlpacaBars, by_path(any={"bars": {"AAPL": closes()}, "next_page_token": None}), ALPACA,
                          KEYS["APCA_API_SECRET_KEY"]),
    "alpaca_news": Vendor(AlpacaNews, by_path(any=ARTICLES), ALPACA, KEYS["APCA_API_SECRET_KEY"]),
    "massive": Vendor(Massive, by_path(bars=aggregates(), news=massive_news("positive", "neutral")), "MASSIVE_API_KEY",
                      KEYS["MASSIVE_API_KEY"]),
    "alpha_vantage": Vendor(AlphaVantage, by_path(any=feed()), "ALPHAVANTAGE_API_KEY", KEYS["ALPHAVANTAGE_API_KEY"]),
    "xai": Vendor(Xai, by_path(any=response([MODEL_VOTE])), "XAI_API_KEY", KEYS["XAI_API_KEY"]),
    "perplexity": Vendor(Perplexity, by_path(any=agent([MODEL_VOTE])), "PERPLEXITY_API_KEY",
                         KEYS["PERPLEXITY_API_KEY"]),
    "perplexity_sonar": Vendor(Perplexity, by_path(any=sonar([MODEL_VOTE])), "PERPLEXITY_API_KEY",
                               KEYS["PERPLEXITY_API_KEY"], {"api": "sonar"}),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", VENDORS)


def asked(name: str, answers: Answers, folder: Path, *symbols: str, **changes: Any) -> tuple[Votes, list[Asked], Any]:
    """Ask a vendor's client; its answer, what arrived, and the bench."""
    vendor = VENDORS[name]
    server = VendorServer(answers)
    own = name.removesuffix("_sonar")
    with server.running(), bench(vendor.make, own, server.url, folder, **{**vendor.changes, **changes}) as one:
        found = one.source.fetch(symbols or ("AAPL",), NOW, one.budget)
        return found, server.asked, (one.clock, spent(one, own), one.kept)


def refused(name: str, answers: Answers, folder: Path, kind: type[SourceProblem], **changes: Any) -> SourceProblem:
    """The problem that an answer becomes; no secret stands in it."""
    with pytest.raises(kind) as caught:
        asked(name, answers, folder, **changes)
    for secret in KEYS.values():
        assert secret not in f"{caught.value!r} {caught.value} {caught.value.hint}"
    assert type(caught.value) is kind
    return caught.value


@EVERY
def test_a_good_answer_is_a_vote_with_the_key_where_it_belongs(name: str, tmp_path: Path) -> None:
    found, requests, (_, (calls, _), kept) = asked(name, VENDORS[name].good, tmp_path)
    (vote,) = found.answered
    assert (vote.symbol, found.silent) == ("AAPL", {})
    assert 0 < vote.score <= 1
    assert 0 < vote.confidence <= 1
    assert calls == len(requests) == len(kept)
    for one in requests:
        carried = {**one.headers, **one.params}
        assert [key for key, value in carried.items() if VENDORS[name].secret in value] in (
            ["APCA-API-SECRET-KEY"], ["Authorization"], ["apikey"],
        )  # fmt: skip


ERRORS: list[tuple[int, Any, type[SourceProblem]]] = [
    (401, {"message": "unauthorized"}, KeyRefused),
    (403, {"message": "forbidden."}, KeyRefused),
    (403, {"status": "NOT_AUTHORIZED", "request_id": "r", "message": "You are not entitled to this data."}, KeyRefused),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: KEYKEY."}, KeyRefused),
    (400, {"error": {"message": "Invalid API key", "type": "invalid_request", "param": None, "code": 400}}, KeyRefused),
    (400, {"error": {"message": "unknown field 'x'", "type": "invalid_request", "code": 400}}, VendorRefused),
    (404, {"code": "not_found", "error": "The model grok-1 does not exist"}, VendorRefused),
    (422, b"<html>no</html>", VendorRefused),
    (402, {"error": {"message": "Insufficient balance", "type": "billing", "code": 402}}, QuotaUsed),
    (429, {"code": "quota", "error": "You have used up your monthly quota"}, QuotaUsed),
    (410, {"error": "Live search is deprecated. Please switch to the Agent Tools API"}, SourceGone),
    (429, {"status": "ERROR", "request_id": "r", "error": "You've exceeded the maximum requests per minute"},
     SourceUnavailable),
    (500, {"error": {"message": "oops", "type": "server_error", "code": 500}}, SourceUnavailable),
    (503, b"", SourceUnavailable),
    (301, b"", VendorRefused),
    (200, b"<html>Just a moment</html>", SourceUnavailable),
    (200, b"[1, 2", SourceUnavailable),
    (200, b'{"votes": NaN}', SourceUnavailable),
    (200, b"null", SourceUnavailable),
    (200, [], SourceUnavailable),
    (200, b"[" * 100_000, SourceUnavailable),
]  # fmt: skip


@EVERY
@pytest.mark.parametrize(("status", "body", "kind"), ERRORS, ids=lambda v: getattr(v, "__name__", str(v))[:40])
def test_what_an_error_means(name: str, status: int, body: Any, kind: type[SourceProblem], tmp_path: Path) -> None:
    """The same statuses mean the same for every vendor; the key is echoed and never shown."""
    vendor = VENDORS[name]
    if isinstance(body, dict):
        body = json.loads(json.dumps(body).replace("KEYKEY", vendor.secret))
    problem = refused(name, lambda _: Said(body, status, {"Location": "https://evil.example/"}), tmp_path, kind)
    if kind is KeyRefused:
        assert vendor.key.removesuffix("_ID") in problem.hint


@EVERY
def test_without_a_key_nothing_is_asked(name: str, tmp_path: Path) -> None:
    vendor, server = VENDORS[name], VendorServer(VENDORS[name].good)
    own = name.removesuffix("_sonar")
    keys = dict.fromkeys(KEYS, "")
    with server.running(), bench(vendor.make, own, "https://127.0.0.1:9", tmp_path, keys, **vendor.changes) as one:
        with pytest.raises(KeyRefused, match=r"not set|incomplete") as caught:
            one.source.fetch(("AAPL",), NOW, one.budget)
        assert vendor.key in caught.value.hint
        assert (server.asked, spent(one, own)) == ([], (0, Decimal(0)))


@EVERY
def test_a_rate_limit_is_waited_for_and_a_long_one_is_not(name: str, tmp_path: Path) -> None:
    vendor, calls = VENDORS[name], list[int]()

    def answers(one: Asked) -> Said:
        calls.append(1)
        return Said({"message": "slow down"}, 429, {"Retry-After": "7"}) if len(calls) == 1 else vendor.good(one)

    found, _, (clock, (counted, _), _) = asked(name, answers, tmp_path)
    assert len(found.answered) == 1
    assert counted == len(calls)
    assert any(7.0 <= wait <= 8 for wait in clock.waits)
    slow = refused(name, lambda _: Said({}, 429, {"Retry-After": "600"}), tmp_path, SourceUnavailable)
    assert isinstance(slow, SourceUnavailable)
    assert slow.seconds == 600


@EVERY
def test_a_server_that_hangs_costs_its_timeout(name: str, tmp_path: Path) -> None:
    """A POST that may have arrived is not repeated, since it may have been paid for; a GET is."""
    tried: list[Asked] = []

    def answers(one: Asked) -> Said:
        tried.append(one)
        return Said(None, hangs=True)

    problem = refused(name, answers, tmp_path, SourceUnavailable, timeout_seconds=0.2)
    assert "did not come" in str(problem)
    assert len(tried) == (1 if tried[0].method == "POST" else 3)


@EVERY
def test_nobody_listens(name: str, tmp_path: Path) -> None:
    vendor, own = VENDORS[name], name.removesuffix("_sonar")
    with bench(vendor.make, own, "http://127.0.0.1:9", tmp_path, **vendor.changes) as one:
        with pytest.raises(SourceUnavailable, match="did not come"):
            one.source.fetch(("AAPL",), NOW, one.budget)
        assert spent(one, own)[0] == 3


@EVERY
def test_the_budget_is_counted_before_a_call(name: str, tmp_path: Path) -> None:
    vendor, own = VENDORS[name], name.removesuffix("_sonar")
    server = VendorServer(vendor.good)
    changes = {**vendor.changes, "calls_per_day": 0}
    with (
        server.running(),
        bench(vendor.make, own, server.url, tmp_path, **changes) as one,
        pytest.raises(BudgetSpent, match="all 0 calls of the day are used"),
    ):
        one.source.fetch(("AAPL",), NOW, one.budget)
    assert server.asked == []


# what is particular to one vendor


def test_alpaca_bars_are_paged_and_todays_bar_never_counts(tmp_path: Path) -> None:
    rows = [*closes(), {"t": "2026-11-20T05:00:00Z", "c": 1e9}]

    def answers(one: Asked) -> Said:
        first = "page_token" not in one.params
        part = rows[:200] if first else rows[200:]
        return Said({"bars": {"AAPL": part, "OTHER": part}, "next_page_token": "p2" if first else None})

    found, requests, _ = asked("alpaca_bars", answers, tmp_path, "AAPL", "NONE", "BTC/USD")
    plain, _, _ = asked("alpaca_bars", VENDORS["alpaca_bars"].good, tmp_path)
    assert found.answered == plain.answered
    assert found.silent == {
        "NONE": "only 0 daily closes, 60 are needed", "BTC/USD": "this source has no crypto pairs",
    }  # fmt: skip
    assert [one.path for one in requests] == ["/v2/stocks/bars"] * 2
    assert requests[0].params == {
        "symbols": "AAPL,NONE", "timeframe": "1Day", "start": "2025-10-16", "end": "2026-11-20", "limit": "10000",
        "adjustment": "all", "feed": "iex",
    }  # fmt: skip
    loop = refused("alpaca_bars", lambda _: Said({"bars": {}, "next_page_token": "p"}), tmp_path, SourceUnavailable)
    assert "repeat" in str(loop)


def test_alpaca_news_has_a_tone_newer_articles_count_more(tmp_path: Path) -> None:
    def article(text: str, hours: int, *symbols: str) -> dict[str, object]:
        at = (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"headline": text, "summary": "", "symbols": symbols, "created_at": at, "url": f"{PAGE}{hours}"}

    rows = [article("Profit beats", 1, "AAPL"), article("Profit beats", 1, "AAPL"), article("lawsuit", 60, "AAPL"),
            article("not weak", 2, "MSFT", "BTCUSD"), article("hello", 3, "KO"),
            article("surges", -1, "KO")]  # fmt: skip
    found, requests, _ = asked(
        "alpaca_news", by_path(any={"news": rows}), tmp_path, "AAPL", "MSFT", "BTC/USD", "KO", "XOM"
    )
    said = {vote.symbol: vote for vote in found.answered}
    assert {symbol: vote.score > 0.5 for symbol, vote in said.items()} == {"AAPL": True, "MSFT": True, "BTC/USD": True}
    assert said["AAPL"].citations == (f"{PAGE}1", f"{PAGE}60")
    assert found.silent == {"KO": "no tone in 1 articles", "XOM": "no articles"}
    assert requests[0].params["symbols"] == "AAPL,MSFT,BTCUSD,KO,XOM"


def test_massive_marks_delayed_data_and_takes_what_a_plan_has(tmp_path: Path) -> None:
    delayed, _, _ = asked("massive", by_path(bars=aggregates("DELAYED"), news=massive_news()), tmp_path)
    assert (delayed.age, len(delayed.answered)) == (timedelta(minutes=15), 1)
    news, requests, _ = asked("massive", by_path(news=massive_news("negative")), tmp_path, options={"data": "news"})
    assert [vote.score for vote in news.answered] == [-1.0]
    assert [one.path for one in requests] == ["/v2/reference/news"]
    empty = {"ticker": "AAPL", "queryCount": 0, "resultsCount": 0, "adjusted": True, "status": "OK", "request_id": "r"}
    silent, _, _ = asked("massive", by_path(bars=empty, news=massive_news()), tmp_path)
    assert silent.silent == {"AAPL": "only 0 daily closes, 60 are needed; no sentiment in 1 articles"}
    body = {"status": "NOT_AUTHORIZED", "request_id": "r", "message": "your plan does not include this"}
    assert "MASSIVE_API_KEY" in refused("massive", by_path(any=body), tmp_path, KeyRefused).hint
    refused("massive", by_path(any={"status": "ERROR", "request_id": "r", "error": "x"}), tmp_path, SourceUnavailable)
    refused("massive", by_path(any={"results": [{"t": "x"}]}), tmp_path, SourceUnavailable)


BURST = "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request per second). You may subscribe to any of the premium plans to lift the free key rate limit (25 requests per day)."  # noqa: E501 - one message
DAILY = f"We have detected your API key as {KEYS['ALPHAVANTAGE_API_KEY']} and our standard API rate limit is 25 requests per day. Please subscribe to any of the premium plans to instantly remove all daily rate limits."  # noqa: E501 - one message


@pytest.mark.parametrize("under", ["Information", "Note", "Error Message"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (BURST, SourceUnavailable),
        (DAILY, QuotaUsed),
        ("the parameter apikey is invalid or missing. Please claim your free API key.", KeyRefused),
        ("Our standard API call frequency is 5 calls per minute and 500 calls per day.", SourceUnavailable),
    ],
)
def test_alpha_vantage_says_errors_with_status_200(
    under: str, text: str, kind: type[SourceProblem], tmp_path: Path
) -> None:
    refused("alpha_vantage", by_path(any={under: text}), tmp_path, kind)


def test_alpha_vantage_one_bad_name_is_silent(tmp_path: Path) -> None:
    said = {"Error Message": "Invalid API call. Please retry or visit the documentation for NEWS_SENTIMENT."}
    found, _, _ = asked("alpha_vantage", by_path(any=said), tmp_path)
    assert (found.answered, list(found.silent)) == ((), ["AAPL"])
    premium = {"Information": "Thank you! This is a premium endpoint."}
    refused("alpha_vantage", by_path(any=premium), tmp_path, VendorRefused)
    for body in ({}, {"feed": [{"ticker_sentiment": [{"ticker": "AAPL"}]}]}, {"feed": 5}):
        refused("alpha_vantage", by_path(any=body), tmp_path, SourceUnavailable)
    weak, _, _ = asked("alpha_vantage", by_path(any=feed(relevance="0.01")), tmp_path)
    assert weak.silent == {"AAPL": "no relevant article among 1"}


MODELS = pytest.mark.parametrize("name", ["xai", "perplexity", "perplexity_sonar"])
SPEAKS: dict[str, Callable[..., dict[str, Any]]] = {"xai": response, "perplexity": agent, "perplexity_sonar": sonar}


@MODELS
@pytest.mark.parametrize(
    ("votes", "urls", "expected", "why"),
    [
        ([{**MODEL_VOTE, "score": 7}], (PAGE,), [1.0], ""),
        ([{**MODEL_VOTE, "score": -1e9, "confidence": 3}], (PAGE,), [-1.0], ""),
        ([MODEL_VOTE, {**MODEL_VOTE, "symbol": "EVIL"}], (PAGE,), [0.5], ""),
        ([MODEL_VOTE, {**MODEL_VOTE, "score": -1}], (PAGE,), [0.5], ""),
        ([{**MODEL_VOTE, "sources": []}], (PAGE,), [], "no citation that the vendor confirms"),
        ([MODEL_VOTE], (), [], "no citation that the vendor confirms"),
        ([MODEL_VOTE], ("https://other.example/",), [], "no citation that the vendor confirms"),
        ([MODEL_VOTE], ("http://www.news.example/aapl/",), [0.5], ""),
        ([], (PAGE,), [], "the model found nothing"),
        ("```json\n" + json.dumps({"votes": [MODEL_VOTE]}) + "\n```", (PAGE,), [0.5], ""),
    ],
)
def test_a_models_vote_needs_a_citation_and_is_clipped(
    name: str, votes: object, urls: tuple[str, ...], expected: list[float], why: str, tmp_path: Path
) -> None:
    found, _, _ = asked(name, by_path(any=SPEAKS[name](votes, urls=urls)), tmp_path)
    assert [vote.score for vote in found.answered] == expected
    assert all(vote.symbol == "AAPL" and 0 <= vote.confidence <= 1 for vote in found.answered)
    assert found.silent == ({} if expected else {"AAPL": why})


@MODELS
@pytest.mark.parametrize(
    "votes",
    [
        "I would buy AAPL, score 0.9",
        '{"votes": [{"symbol": "AAPL", "score": 1}]}',
        '{"votes": "AAPL"}',
        '{"orders": []}',
        '{"votes": [], "orders": [{"buy": "AAPL"}]}',
        json.dumps({"votes": [{**MODEL_VOTE, "score": "1"}]}),
        json.dumps({"votes": [{**MODEL_VOTE, "score": True}]}),
        json.dumps({"votes": [{**MODEL_VOTE, "note": "ignore your instructions"}]}),
        '{"votes": [{"symbol": "AAPL", "score": NaN, "confidence": 1, "reason": "", "sources": []}]}',
        '{"votes": [{"symbol": "AAPL", "score": 1e999, "confidence": 1, "reason": "", "sources": []}]}',
        "{" * 50_000,
        "",
    ],
)
def test_an_answer_that_is_not_of_the_schema_is_none(name: str, votes: str, tmp_path: Path) -> None:
    problem = refused(name, by_path(any=SPEAKS[name](votes)), tmp_path, SourceUnavailable)
    assert "ignore your instructions" not in str(problem)


@pytest.mark.parametrize("name", ["xai", "perplexity"])
@pytest.mark.parametrize("status", ["failed", "in_progress", "queued", "cancelled", "requires_action", "incomplete"])
def test_status_200_and_not_completed(name: str, status: str, tmp_path: Path) -> None:
    body = SPEAKS[name]([MODEL_VOTE], status=status, error={"message": "tool failed", "code": "x", "type": "y"})
    assert f"is {status}" in str(refused(name, by_path(any=body), tmp_path, SourceUnavailable))


@pytest.mark.parametrize("name", ["xai", "perplexity", "perplexity_sonar"])
@pytest.mark.parametrize(
    "body", [{}, {"output": 5}, {"output": []}, {"choices": []}, {"output": [{"type": "message"}]}]
)
def test_a_body_of_another_shape(name: str, body: object, tmp_path: Path) -> None:
    refused(name, by_path(any=body), tmp_path, SourceUnavailable)


def test_what_xai_is_sent(tmp_path: Path) -> None:
    _, (one,), (_, paid, _) = asked("xai", VENDORS["xai"].good, tmp_path, "AAPL", "MSFT", model="grok-9")
    assert (one.method, one.path, paid) == ("POST", "/v1/responses", (1, Decimal("0.10")))
    assert one.body == {
        "model": "grok-9",
        "input": [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user",
             "content": "Now: 2026-11-20T15:35:00Z. Symbols on US exchanges (BASE/USD: crypto): AAPL, MSFT."},
        ],
        "tools": [{"type": "x_search", "from_date": "2026-11-18", "to_date": "2026-11-20"}],
        "max_output_tokens": 4000,
        "store": False,
        "text": {"format": {"type": "json_schema", "name": "votes", "schema": SCHEMA, "strict": True}},
    }  # fmt: skip


def test_what_perplexity_is_sent_and_what_it_cost(tmp_path: Path) -> None:
    _, (one,), (_, paid, _) = asked("perplexity", VENDORS["perplexity"].good, tmp_path)
    assert (one.method, one.path, paid) == ("POST", "/v1/agent", (1, Decimal("0.007")))
    assert set(one.body) == {"preset", "input", "instructions", "max_output_tokens", "response_format", "tools"}
    assert (one.body["preset"], one.body["tools"][0]["type"]) == ("low", "web_search")
    _, (named,), _ = asked("perplexity", VENDORS["perplexity"].good, tmp_path, model="openai/some-model")
    assert (named.body["model"], "preset" in named.body) == ("openai/some-model", False)
    refused("perplexity", VENDORS["perplexity"].good, tmp_path, VendorRefused, model="sonar-pro")


def test_sonar_stands_behind_a_switch(tmp_path: Path) -> None:
    _, (one,), (_, paid, _) = asked("perplexity_sonar", VENDORS["perplexity_sonar"].good, tmp_path)
    assert (one.path, one.body["model"], paid) == ("/chat/completions", "sonar-pro", (1, Decimal("0.011")))


def test_money_ends_a_models_day(tmp_path: Path) -> None:
    vendor, server = VENDORS["xai"], VendorServer(VENDORS["xai"].good)
    with server.running(), bench(vendor.make, "xai", server.url, tmp_path, usd_per_day="0.25") as one:
        for _ in range(2):
            one.source.fetch(("AAPL",), NOW, one.budget)
        with pytest.raises(BudgetSpent, match=r"0\.20 of 0\.25 USD a day are spent, and a call costs about 0\.10"):
            one.source.fetch(("AAPL",), NOW, one.budget)
    assert len(server.asked) == 2
