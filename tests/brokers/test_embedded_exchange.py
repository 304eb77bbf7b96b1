"""The adapter against the embedded exchange: every question, and an order from its intent to its end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.protocol import BrokerOrder, ReadBroker, TradingBroker
from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused
from rebalancer.core.outcomes import OrderState
from rebalancer.core.rules import Broker as BrokerRules
from rebalancer.exchange.options import ExchangeOptions
from rebalancer.exchange.starter import RunningExchange, start_exchange
from tests.brokers.making import KEY, SECRET, an_order

# The exchange builds its calendar with pandas_market_calendars, which still says dt.weekday to pandas 3.
pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")

START = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    options = ExchangeOptions(key=KEY, secret=SECRET, start=START, fill_latency_seconds=0.0, rate_limit_per_minute=0)
    with start_exchange(options) as running:
        yield running


@pytest.fixture
def broker(exchange: RunningExchange) -> Iterator[AlpacaBroker]:
    broker = AlpacaBroker(Credentials(KEY, SECRET), Endpoints(exchange.url), BrokerRules())
    yield broker
    broker.close()


def ended(broker: AlpacaBroker, exchange: RunningExchange, client_order_id: str) -> BrokerOrder:
    """Let simulated time pass until an order has ended."""
    for _ in range(100):
        order = broker.find_order(client_order_id)
        assert order is not None
        if order.state.is_final:
            return order
        exchange.clock.advance(1.0)
    raise AssertionError(f"{client_order_id} did not end")


def test_reads_of_a_fresh_account(broker: AlpacaBroker) -> None:
    reads: ReadBroker = ReadOnlyBroker(broker)
    account = reads.account()
    assert account.equity == account.last_equity == account.cash == Decimal(100_000)
    assert account.restrictions == ()
    assert reads.positions() == ()
    assert reads.orders(None) == ()
    assert reads.orders(START - timedelta(days=1)) == ()
    fills, others = reads.activities(START - timedelta(days=2))
    assert fills == ()
    assert [(one.type, one.symbol, one.amount) for one in others] == [("CSD", None, Decimal(100_000))]
    assert reads.find_order("never-sent") is None


def test_the_clock(broker: AlpacaBroker, exchange: RunningExchange) -> None:
    clock = broker.clock()
    assert clock.session.is_open
    assert clock.session.open == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert clock.session.close == datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert START <= clock.now < START + timedelta(minutes=10)
    before = broker.now()
    exchange.clock.advance(30.0)
    broker.positions()  # any answer tells the time
    assert broker.now() - before >= timedelta(seconds=28)


def test_instruments_quotes_and_closes(broker: AlpacaBroker) -> None:
    instruments = {one.symbol: one for one in broker.instruments()}
    assert instruments["AAPL"].tradable
    assert instruments["AAPL"].lot == 1
    assert {one.asset_class for one in instruments.values()} <= {"us_equity", "crypto"}
    asked = [name for name, one in instruments.items() if one.tradable][:50]
    quotes = broker.quotes([*asked, "ZZZZZ"])
    assert {quote.symbol for quote in quotes} <= set(asked)
    assert {"AAPL"} <= {quote.symbol for quote in broker.quotes(["AAPL", "ZZZZZ"])}
    for quote in quotes:
        assert quote.bid is None or quote.ask is None or quote.bid < quote.ask
        assert quote.at <= broker.now() + timedelta(seconds=2)
    closes = broker.daily_closes(["AAPL", "MSFT", "ZZZZZ"], 60)
    assert len(closes.days) == 60
    assert closes.days[-1] < START.date()
    assert list(closes.days) == sorted(set(closes.days))
    assert all(close > 0 for close in closes.closes["AAPL"])
    assert all(math.isnan(close) for close in closes.closes["ZZZZZ"])


def test_an_order_from_intent_to_fill(broker: AlpacaBroker, exchange: RunningExchange) -> None:
    whole: TradingBroker = broker
    since = broker.now() - timedelta(seconds=5)
    order = an_order(client_order_id="it-1", qty=Decimal(7))
    sent = whole.submit(order)
    assert (sent.kind, sent.reason) == ("accepted", "accepted"), sent
    done = ended(broker, exchange, "it-1")
    assert (done.state, done.filled_qty, done.qty) == (OrderState.FILLED, Decimal(7), Decimal(7))
    (position,) = [one for one in broker.positions() if one.symbol == "AAPL"]
    assert (position.qty, position.qty_available) == (Decimal(7), Decimal(7))
    assert "it-1" in {one.client_order_id for one in broker.orders(since)}
    assert "it-1" not in {one.client_order_id for one in broker.orders(None)}
    fills, _ = broker.activities(since)
    assert sum(fill.qty for fill in fills if fill.order_id == done.id) == 7
    broker.cancel(done.id)  # has ended: no error


def test_an_order_that_waits_is_cancelled(broker: AlpacaBroker, exchange: RunningExchange) -> None:
    order = an_order(client_order_id="it-2", type="limit", limit_price=Decimal("1.01"), symbol="MSFT", qty=Decimal(1))
    sent = broker.submit(order)
    assert sent.kind == "accepted", sent
    assert sent.order is not None
    assert [one.client_order_id for one in broker.orders(None)] == ["it-2"]
    broker.cancel(sent.order.id)
    assert ended(broker, exchange, "it-2").state is OrderState.CANCELED


def test_refusals(broker: AlpacaBroker) -> None:
    def refused(**changes: object) -> tuple[str, str]:
        result = broker.submit(an_order(**{"client_order_id": "it-refused", **changes}))
        return result.kind, result.reason

    assert refused(qty=Decimal(1_000_000)) == ("refused", "buying_power")
    assert refused(symbol="ZZZZZ") == ("refused", "not_found")
    assert refused(side="sell", position_intent="sell_to_close", symbol="NVDA")[0] == "refused"
    first = an_order(client_order_id="it-3", type="limit", limit_price=Decimal("1.01"), symbol="MSFT", qty=Decimal(1))
    sent = broker.submit(first)
    assert sent.order is not None
    assert broker.submit(first)[:3:2] == ("unknown", "duplicate_id")
    broker.cancel(sent.order.id)


def test_another_key_is_refused(exchange: RunningExchange) -> None:
    broker = AlpacaBroker(Credentials("other", "pair"), Endpoints(exchange.url), BrokerRules())
    with pytest.raises(CredentialsRefused):
        broker.account()
    assert broker.submit(an_order(client_order_id="it-4"))[::2] == ("refused", "auth")
    broker.close()


def test_a_stopped_exchange_is_unavailable() -> None:
    with start_exchange(ExchangeOptions(start=START)) as running:
        broker = AlpacaBroker(Credentials(KEY, SECRET), Endpoints(running.url), BrokerRules(), wait=lambda _: None)
        assert broker.positions() == ()
    with pytest.raises(BrokerUnavailable):
        broker.positions()
    assert broker.submit(an_order()).kind in ("not_sent", "unknown")
    broker.close()
