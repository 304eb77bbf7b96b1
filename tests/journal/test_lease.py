"""Leases: one holder at a time, by the database's clock; who was paused or replaced writes and sends nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest
from journal_kit import FORK, WRITER, at, intent, plain, start

from rebalancer.brokers.fenced import FencedBroker
from rebalancer.brokers.protocol import SendResult
from rebalancer.core.errors import AccountLeased, BrokerUnavailable, JournalBroken, JournalLocked, LeaseLost
from rebalancer.journal import Journal
from rebalancer.journal.conditions import Ask
from rebalancer.journal.lease import KIND, Holder, Lease, held_lease, read_leases, refuse_while_held
from rebalancer.journal.place import PostgresPlace
from rebalancer.ops.clock import SystemClock

A, B = Holder("aaaa", "alpha", "1"), Holder("bbbb", "beta", "1")


class Hand:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def hold(stack: ExitStack, journal: Journal, holder: Holder, clock: object = None, seconds: float = 60) -> Lease:
    used = clock or SystemClock()
    return stack.enter_context(held_lease(journal, WRITER, holder, seconds, at(0), used))  # type: ignore[arg-type]


def expire(place: PostgresPlace) -> None:
    """Let the lease end now, as if its time had passed."""
    with closing(plain(place)) as hand:
        hand.execute("UPDATE leases SET expires_at = clock_timestamp() - interval '1 microsecond'")


@pytest.fixture
def shared(new_place: Callable[[], PostgresPlace]) -> PostgresPlace:
    return new_place()


def test_the_loser_writes_nothing_and_is_told_who_trades(shared: PostgresPlace) -> None:
    with ExitStack() as stack, Journal.open(shared) as one, Journal.open(shared) as two:
        hold(stack, one, A)
        one.begin_cycle(start("c1"))
        before = two.latest_events(100)
        with pytest.raises(AccountLeased, match="is traded by alpha, until"):
            hold(stack, two, B)
        assert two.latest_events(100) == before
        assert [event.kind for event in before] == ["cycle_started", KIND]


def test_processes_of_one_state_folder_share_a_lease(shared: PostgresPlace) -> None:
    with ExitStack() as stack, Journal.open(shared) as one, Journal.open(shared) as two:
        assert (hold(stack, one, A).token, hold(stack, two, A).token) == (1, 1)
        assert len(two.events(kind=KIND)) == 1
        two.begin_cycle(start("c1"))
        one.begin_cycle(start("c2"))


def test_a_lease_that_ran_out_is_taken_up_again_by_all_processes_of_its_folder(shared: PostgresPlace) -> None:
    """A session was cut off for longer than its lease, and nobody came: its next cycle does not replace it."""
    with ExitStack() as stack, Journal.open(shared) as session, Journal.open(shared) as cycle:
        first = hold(stack, session, A)
        expire(shared)
        assert hold(stack, cycle, A).token == first.token == 1
        first.renew()
        session.begin_cycle(start("c1"))
        assert first.why_not() is None
        assert [event.key for event in session.events(kind=KIND)] == ["1"], "nobody took over from anybody"


def test_who_was_replaced_writes_nothing_and_sends_nothing(shared: PostgresPlace) -> None:
    with ExitStack() as stack, Journal.open(shared) as one, Journal.open(shared) as two:
        first = hold(stack, one, A)
        one.begin_cycle(start("c1"))
        expire(shared)
        second = hold(stack, two, B)
        assert (first.token, second.token) == (1, 2)
        two.begin_cycle(start("c2"))
        rows = two.latest_events(100)
        for write in (
            lambda: one.record_intents(WRITER, [intent("o1", "c1")]),
            lambda: one.record_event(WRITER, None, at(3), "note", None, {}),
            lambda: one.begin_cycle(start("c3")),
            first.renew,
        ):
            with pytest.raises(LeaseLost, match="another host has taken over"):
                write()
        assert two.latest_events(100) == rows
        assert "another host has taken over" in (first.why_not() or "")
        assert second.why_not() is None
        assert one.kill_switch(WRITER) is None, "reading goes on"
        taken = [(event.key, event.body["host"], event.body["before"]) for event in two.events(kind=KIND)]
        assert taken == [("1", "alpha", None), ("2", "beta", {"host": "alpha", "holder": "aaaa"})]


def test_a_lease_that_comes_back_after_a_failover_with_the_same_number_is_another(shared: PostgresPlace) -> None:
    """An older replica may give out a token a second time: the holder is part of it."""
    with ExitStack() as stack, Journal.open(shared) as one:
        hold(stack, one, A)
        with closing(plain(shared)) as hand:
            hand.execute("UPDATE leases SET holder = 'cccc'")
        with pytest.raises(LeaseLost):
            one.begin_cycle(start("c1"))


def test_half_of_a_lease_without_renewal_ends_sending(shared: PostgresPlace) -> None:
    """By this host's own clock, whatever its wall clock says; a renewal counts from before it was asked for."""
    clock = Hand()
    with ExitStack() as stack, Journal.open(shared) as journal:
        lease = hold(stack, journal, A, clock, 60)
        clock.now = 30.0
        assert lease.why_not() is None
        clock.now = 30.1
        assert lease.why_not() == "the lease of the account was last renewed 30.1 s ago; it lasts 60 s"
        lease.renew()
        assert lease.why_not() is None


def test_a_released_lease_is_free_at_once(shared: PostgresPlace) -> None:
    with Journal.open(shared) as one, Journal.open(shared) as two:
        with ExitStack() as stack:
            lease = hold(stack, one, A)
            stack.callback(lease.release)
        with ExitStack() as stack:
            assert hold(stack, two, B).token == 2
            with two.store.asking() as ask:
                (row,) = read_leases(ask)
            assert (row.host, row.token, row.is_valid) == ("beta", 2, True)


class Seen:
    """A broker that notes what reaches it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def submit(self, order: object, *, allowed: Callable[[], bool]) -> SendResult:
        if not allowed():
            return SendResult("not_sent", None, "", "")
        self.calls.append("submit")
        return SendResult("unknown", None, "", "")

    submit_pair = submit

    def cancel(self, order_id: str) -> None:
        self.calls.append("cancel")


def test_the_fence_is_asked_last_and_for_everything_that_changes_something() -> None:
    said: list[str] = []
    order: list[str] = []
    broker, behind = Seen(), [None, "paused too long"]
    fenced = FencedBroker(broker, lambda: (order.append("fence"), behind[bool(said)])[1])  # type: ignore[arg-type]
    checks = {"allowed": lambda: order.append("check") is None}
    for send in (fenced.submit, fenced.submit_pair):
        assert send(None, **checks).kind == "unknown"  # type: ignore[operator]
    fenced.cancel("x")
    assert broker.calls == ["submit", "submit", "cancel"]
    assert order == ["check", "fence", "check", "fence", "fence"]
    said.append("now")
    results = [send(None, **checks) for send in (fenced.submit, fenced.submit_pair)]  # type: ignore[operator]
    assert [(r.kind, r.reason, r.message) for r in results] == [("not_sent", "lease", "paused too long")] * 2
    with pytest.raises(BrokerUnavailable, match="no cancel was sent: paused too long"):
        fenced.cancel("x")
    assert len(broker.calls) == 3


@pytest.mark.parametrize("is_writing", [False, True], ids=["anywhere", "in the middle of a transaction"])
def test_a_paused_process_finds_itself_replaced(shared: PostgresPlace, is_writing: bool) -> None:
    """SIGSTOP beyond its lease, then SIGCONT: another process trades, and the first one writes nothing more."""
    receiver, sender = FORK.Pipe(duplex=False)
    seconds = 2.0

    def work() -> None:
        with Journal.open(shared) as journal, held_lease(journal, WRITER, A, seconds, at(0), SystemClock()) as lease:
            number = 0

            def paused(ask: Ask) -> None:
                journal.store.fence = lease.fence
                lease.fence(ask)
                os.kill(os.getpid(), signal.SIGSTOP)

            while True:
                number += 1
                if is_writing and number == 2:
                    journal.store.fence = paused
                try:
                    journal.record_event(WRITER, None, at(number), "note", str(number), {})
                except LeaseLost:
                    sender.send(("lost", lease.why_not()))
                    return
                except JournalBroken:  # paused in the middle of a transaction, which the server has ended since
                    continue
                sender.send(("wrote", number))

    child = FORK.Process(target=work)
    child.start()
    sender.close()  # so that a child that dies is an end of the pipe
    assert receiver.recv()[0] == "wrote"
    if not is_writing:
        os.kill(child.pid or 0, signal.SIGSTOP)
    os.waitpid(child.pid or 0, os.WUNTRACED)
    with Journal.open(shared) as journal, ExitStack() as stack:
        while True:  # until the database says that the lease has ended
            try:
                token = hold(stack, journal, B, seconds=60).token
                break
            except (AccountLeased, JournalLocked):  # locked: it was paused in the middle of a transaction
                time.sleep(0.2)
        before = journal.latest_events(10_000)
        os.kill(child.pid or 0, signal.SIGCONT)
        while (said := receiver.recv())[0] == "wrote":
            pass
        child.join(60)
        assert said[0] == "lost"
        assert "another host has taken over" in said[1]
        assert token == 2
        assert journal.latest_events(10_000) == before
        journal.verify()


def test_nothing_is_put_in_the_place_of_a_journal_that_another_host_uses(shared: PostgresPlace) -> None:
    refuse_while_held(PostgresPlace(shared.url, "rebalancer_never"), "bbbb")
    with ExitStack() as stack, Journal.open(shared) as one:
        hold(stack, one, A)
        refuse_while_held(shared, "aaaa")
        with pytest.raises(AccountLeased, match="is traded by alpha, until"):
            refuse_while_held(shared, "bbbb")
        expire(shared)
        refuse_while_held(shared, "bbbb")
    refuse_while_held(PostgresPlace("postgresql://nobody@127.0.0.1:1/none", "rebalancer_x"), "bbbb")
