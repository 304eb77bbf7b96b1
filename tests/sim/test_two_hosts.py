"""Two machines that run the same slots of one account, each with a journal of its own: a mistake of deployment.

Real cycles against the real exchange core, interleaved at every boundary by chance. Nothing on either machine can see
the other. The broker alone knows both.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from rebalancer.brokers.alpaca import client
from rebalancer.core.facts import Signal
from rebalancer.core.rules import Rules
from rebalancer.exchange.state import Behaviour
from rebalancer.journal import Journal
from rebalancer.rebalance.cycle import CycleResult
from tests.sim.draws import Chances, stream
from tests.sim.host import Host
from tests.sim.lists import orders_of
from tests.sim.scenario import signals_of
from tests.sim.straight import without_threads
from tests.sim.template import MEMORY, forget_template, template
from tests.sim.venue import Venue, Wire
from tests.support.rig import rules

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SYMBOLS = ("AAPL", "CAT", "COST", "JNJ", "JPM", "KO", "MSFT", "NVDA", "V", "WMT", "XOM")
# As much as both machines together could buy is far beyond each of these.
TIGHT = rules(
    position_sizing__base_position_size=0.1,
    position_sizing__max_position_size=0.12,
    position_sizing__max_total_exposure=0.35,
    risk_management__max_sector_exposure=0.15,
)
Opinions = Callable[[datetime], tuple[Signal, ...]]


@pytest.fixture(scope="module", autouse=True)
def _template() -> Iterator[None]:
    yield
    forget_template()


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))
    yield made
    shutil.rmtree(made, ignore_errors=True)


class Pair:
    """One account and two machines on it."""

    def __init__(self, seed: int, folder: Path, latency: float) -> None:
        self.venue = Venue(seed, START, SYMBOLS, Decimal(100_000), Behaviour(), Wire(latency_seconds=latency))
        self.hosts = [Host(name, folder / name, self.venue, template()) for name in ("h1", "h2")]
        self.ended: dict[str, list[CycleResult | str]] = defaultdict(list)

    def slot(self, opinions: dict[str, Opinions], rules: Rules) -> None:
        """Both run the cycle of this moment at once."""
        name = self.venue.now().strftime("%Y-%m-%dT%H:%MZ")

        def one(host: Host) -> None:
            self.ended[host.name].append(host.cycle(name, opinions[host.name], rules, fresh=True))

        self.venue.relay.run([(h.name, partial(one, h)) for h in self.hosts])
        micros = self.venue.micros()
        self.venue.advance((300_000_000 - micros % 300_000_000) / 1e6)

    def alerts(self, host: Host) -> list[str]:
        """What the people of one machine are told of another program."""
        with Journal.open(host.journal_file, holder="test") as journal:
            return [str(e.body["text"]) for e in journal.events(kind="alert") if e.key == "another_program"]

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        self.venue.exchange.store.close()


def opinions(seed: int, number: int) -> Opinions:
    def make(now: datetime) -> tuple[Signal, ...]:
        return signals_of(stream(seed, f"opinions {number}"), SYMBOLS, START, number, odd=False)

    return lambda now: tuple(s._replace(issued_at=now) for s in make(now))


def exceeded(venue: Venue) -> list[str]:
    """Caps that the account is beyond, with one percent for prices that have moved since the decision."""
    capital = Decimal(venue.ask("/v2/account")["equity"]) * Decimal(str(TIGHT.position_sizing.capital_scaling))
    worth = {p["symbol"]: abs(Decimal(p["market_value"])) for p in venue.ask("/v2/positions")}
    gross = sum(worth.values(), Decimal(0)) / capital
    found = [f"gross {gross:.4f}"] if gross > Decimal("0.35") * Decimal("1.01") else []
    return found + [s for s, value in worth.items() if value / capital > Decimal("0.12") * Decimal("1.01")]


@pytest.mark.parametrize(
    ("seed", "alike"),
    [
        pytest.param(seed, alike, marks=() if alike is bool(seed // 2 % 2) else (pytest.mark.campaign,))
        for seed in range(1, 9)
        for alike in (True, False)
    ],
)  # in the suite each seed once: both chances of partial fills with the same and with other signals
def test_no_order_twice_no_cap_exceeded_and_both_say_so(seed: int, alike: bool, folder: Path) -> None:
    with without_threads(), patch.object(client, "secrets", Chances(seed)):
        pair = Pair(seed, folder, (0.01, 0.4)[seed % 2])
        try:
            for number in range(4):
                told = opinions(seed, number)
                pair.slot({"h1": told, "h2": told if alike else opinions(seed, 1000 + number)}, TIGHT)
                assert exceeded(pair.venue) == [], (number, pair.venue.lines)
            orders = orders_of(pair.venue)
            assert len(orders) > 3
            assert [n for n, count in Counter(o["client_order_id"] for o in orders).items() if count > 1] == []
            booked = Counter((p.client_order_id) for p in pair.venue.posts if p.fate == "booked")
            assert set(booked.values()) == {1}
            per_purpose = Counter((o["submitted_at"][:16], o["symbol"], o["side"]) for o in orders)
            assert set(per_purpose.values()) == {1}, per_purpose
            stopped = [h for h in pair.hosts if any(isinstance(e, str) for e in pair.ended[h.name])]
            assert stopped, "at least the one whose order the broker did not take"
            for host in stopped:
                words = pair.alerts(host)
                assert words, pair.ended[host.name]
                assert all(w.startswith("another program is trading this account under our prefix: ") for w in words)
                said = [e for e in pair.ended[host.name] if isinstance(e, str)]
                assert all("AnotherProgram" in e or "UnknownOrders" in e for e in said), said
        finally:
            pair.close()
