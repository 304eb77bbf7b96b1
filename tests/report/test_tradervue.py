"""Every execution reaches Tradervue exactly once, whatever is lost and whoever dies on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.journal import Journal
from rebalancer.performance.records import Fill
from rebalancer.report.tradervue.client import Login, Tradervue, TradervueRefused, TradervueUnavailable
from rebalancer.report.tradervue.sync import BATCH_MAX, Sync, Synced, execution_of, exportable, waiting
from tests.report.tradervue_server import FAULTS, TradervueServer

START = datetime(2026, 11, 20, 15, tzinfo=UTC)
LOGIN = Login("anna", "s3cret-word")


class Died(Exception):
    """The process was killed."""


class VirtualClock:
    """Time that passes only by waiting; the process dies at the n-th wait when told so."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.seconds, self.waits, self.dies_after = 0.0, list[float](), dies_after

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.dies_after is not None and len(self.waits) > self.dies_after:
            raise Died
        self.seconds += seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def fills(count: int) -> list[Fill]:
    return [
        Fill(
            f"e{i}", f"o{i // 2}", START + timedelta(seconds=i), "KO", Decimal(i % 7 - 3 or 9), Decimal("70.25"),
            Decimal("0.02"),
        )
        for i in range(count)
    ]  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[TradervueServer]:
    with TradervueServer() as running:
        yield running


def sync(
    server: TradervueServer, journal: Journal, own: list[Fill], clock: VirtualClock | None = None, login: Login = LOGIN
) -> Synced:
    clock = clock or VirtualClock()
    return Sync(journal, "a1", Tradervue(server.url, login, clock), clock, "paper").run(own)


def posts(server: TradervueServer) -> list[dict[str, object]]:
    return [body for method, body in server.requests if method == "POST"]


def test_what_is_sent(journal: Journal, server: TradervueServer) -> None:
    coin, unlisted = (Fill(i, "o", START, s, Decimal(1), Decimal(9)) for i, s in (("c", "BTC/USD"), ("order:1", "KO")))
    own = [*fills(2), coin, unlisted]
    assert sync(server, journal, own) == Synced(2, (), 0, "")
    (body,) = posts(server)
    assert body.pop("tags")[:2] == ["rebalancer", "paper"]  # type: ignore[index]  # a list of texts
    assert body == {
        "allow_duplicates": "false",
        "overlay_commissions": "false",
        "executions": [
            {"datetime": "2026-11-20T10:00:00-05:00", "symbol": "KO", "quantity": "-3", "price": "70.25", "option": "",
             "commission": "0.00", "transfee": "0.02", "ecnfee": "0.00"},
            {"datetime": "2026-11-20T10:00:01-05:00", "symbol": "KO", "quantity": "-2", "price": "70.25", "option": "",
             "commission": "0.00", "transfee": "0.02", "ecnfee": "0.00"},
        ],
    }  # fmt: skip
    assert sync(server, journal, own) == Synced(0, (), 0, "")
    assert len(posts(server)) == 1
    assert sync(server, journal, [*own, *fills(3)[2:]]) == Synced(1, (), 0, "")
    assert set(server.stored.values()) == {1}


def test_many_are_sent_in_batches(journal: Journal, server: TradervueServer) -> None:
    clock = VirtualClock()
    assert sync(server, journal, fills(2 * BATCH_MAX + 1), clock) == Synced(2 * BATCH_MAX + 1, (), 0, "")
    assert [len(body["executions"]) for body in posts(server)] == [BATCH_MAX, BATCH_MAX, 1]  # type: ignore[arg-type]  # lists
    assert clock.seconds >= 3 * (len(server.requests) - 1)  # never faster than allowed


def test_a_busy_server_is_left_alone_for_as_long_as_it_says(journal: Journal, server: TradervueServer) -> None:
    server.faults.append("429")
    clock = VirtualClock()
    assert sync(server, journal, fills(1), clock) == Synced(1, (), 0, "")
    assert clock.waits.count(40.0) == 1
    server.faults.append("429")
    server.retry_after = "3600"
    clock = VirtualClock()
    assert sync(server, journal, fills(2), clock) == Synced(0, (), 1, "Tradervue answered 429")
    assert clock.seconds < 3600


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["", *FAULTS]), max_size=25),
    st.lists(st.integers(0, 12), max_size=4),
    st.integers(1, 5),
)
def test_each_arrives_once_whatever_happens(faults: list[str], deaths: list[int], count: int) -> None:
    own = fills(count)
    expected = {tuple(execution_of(f)[k] for k in ("datetime", "symbol", "quantity", "price")) for f in own}
    with (
        TemporaryDirectory() as folder,
        TradervueServer() as server,
        Journal.open(Path(folder) / "j.sqlite") as journal,
    ):
        server.faults.extend(faults)
        for dies_after in deaths:
            try:
                sync(server, journal, own, VirtualClock(dies_after))
            except Died:
                continue
        sync(server, journal, own)
        server.faults.clear()
        last = sync(server, journal, own)
        assert (last.left, last.because) == (0, "")
        assert set(server.stored) == expected
        assert set(server.stored.values()) == {1}
        assert waiting(journal, "a1", own) == ()
        assert len(journal.recall("a1", "exported")) == count


def test_an_execution_that_cannot_be_read_is_set_aside(journal: Journal, server: TradervueServer) -> None:
    own = fills(4)
    own[1:3] = [own[1]._replace(symbol="WRONG"), own[2]._replace(price=Decimal(0))]
    words = ("at least one data row had an invalid symbol", "at least one data row had an invalid quantity")
    assert sync(server, journal, own) == Synced(2, (("e1", words[0]), ("e2", words[1])), 0, "")
    assert server.stored.total() == 2
    assert sync(server, journal, own) == Synced(0, (), 0, "")


def test_a_full_quota_leaves_the_rest_for_later(journal: Journal) -> None:
    with TradervueServer(quota=3) as server:
        found = sync(server, journal, fills(5))
        assert (found.sent, found.left) == (0, 5)
        assert found.because.startswith("more than the Tradervue plan takes")
        server.quota = None
        assert sync(server, journal, fills(5)) == Synced(5, (), 0, "")
        assert set(server.stored.values()) == {1}


def test_somebody_else_s_import_is_waited_for_and_not_taken_for_ours(journal: Journal, server: TradervueServer) -> None:
    server.running, server.ended = 3, {"status": "failed", "info": {"error_execnumber": 1, "error_description": "x"}}
    assert sync(server, journal, fills(2)) == Synced(2, (), 0, "")
    server.running, server.ended = 0, {"status": "succeeded", "info": {"exec_count": 1}}
    assert sync(server, journal, fills(3)) == Synced(1, (), 0, "")
    assert server.stored.total() == 3


def test_an_import_that_never_ends_is_left_for_later(journal: Journal, server: TradervueServer) -> None:
    server.running = 10**9
    found = sync(server, journal, fills(2))
    assert (found.sent, found.left) == (0, 2)
    assert "still working" in found.because
    assert posts(server) == []


def test_silence_ends_it_and_nothing_is_lost(journal: Journal) -> None:
    with TradervueServer() as server:
        gone = server.url
    clock = VirtualClock()
    found = Sync(journal, "a1", Tradervue(gone, LOGIN, clock), clock, "paper").run(fills(1))
    assert (found.sent, found.left, found.because) == (0, 1, "Tradervue did not answer (ConnectionError)")
    assert [w for w in clock.waits if w >= 5] == [5, 10, 20, 40, 80]


def test_a_wrong_password_is_said_and_shown_nowhere(journal: Journal, server: TradervueServer) -> None:
    with pytest.raises(TradervueRefused, match="refused the login") as refused:
        sync(server, journal, fills(1), login=Login("anna", "guessed-word"))
    assert "guessed" not in f"{refused.value!r} {Login('anna', 'guessed-word')!r}"
    assert len(journal.events(kind="export_sent")) == 0


@pytest.mark.parametrize(
    "url", ["http://www.tradervue.com", "https://a:b@www.tradervue.com", "ftp://x", "https://x/?a=1", "tradervue.com"]
)
def test_a_password_goes_over_tls_or_nowhere(url: str) -> None:
    with pytest.raises(TradervueRefused, match="plain https address"):
        Tradervue(url, LOGIN, VirtualClock())


def test_both_names_must_be_in_the_environment() -> None:
    assert Login.from_environment({"TRADERVUE_USERNAME": "a", "TRADERVUE_PASSWORD": "b"}) == Login("a", "b")
    with pytest.raises(TradervueRefused, match="TRADERVUE_PASSWORD not set"):
        Login.from_environment({"TRADERVUE_USERNAME": "a"})


def test_what_a_post_without_an_answer_means(server: TradervueServer) -> None:
    client = Tradervue(server.url, LOGIN, VirtualClock())
    for fault, arrived in (("503", True), ("429", False), ("lost answer", True), ("nonsense", True)):
        server.faults.append(fault)
        server.running = 0
        with pytest.raises(TradervueUnavailable) as silent:
            client.create([execution_of(fills(1)[0])], [])
        assert silent.value.may_have_arrived is arrived, fault
    server.running = 0
    with pytest.raises(TradervueRefused, match="no executions"):
        client.create([], [])


def test_coins_and_what_is_not_listed_yet_stay_here() -> None:
    own = fills(1)
    assert exportable([*own, own[0]._replace(id="order:rb-1"), own[0]._replace(symbol="BTC/USD")]) == tuple(own)
