"""Keep one exit pair (a stop and a target) per position at the broker, withdrawn for as long as a trade needs.

A resting exit reserves the shares and makes Alpaca refuse opposite orders, so before a symbol trades its pair is
cancelled and the cancel confirmed; afterwards the position is protected again. Every step is journalled before it is
taken. A pair in an unknown state is looked up by our own id and never sent again until its state is known. Every pair
passes the pre-trade check; a refused one is retried after a pause that doubles each time.

Whole shares of stocks only: Alpaca has no such orders for fractions and coins; the monitor watches those.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from rebalancer.brokers.protocol import BrokerOrder, TradingBroker
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused
from rebalancer.core.facts import OpenOrder
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO, shares_toward_zero, text_of
from rebalancer.execution.await_final import await_final
from rebalancer.execution.exit_orders.lost_pairs import note_lost
from rebalancer.execution.exit_orders.pair_rows import pair_rows
from rebalancer.execution.exit_orders.protocol import ExitOrdersSeen
from rebalancer.execution.exit_orders.unprotected_time import gap_rows, late_rows
from rebalancer.execution.exit_orders.wanted_pair import (
    ONE_SHARE,
    doubtful,
    exits_of,
    intended,
    lives,
    pair_of,
    pair_wanted,
    unfit,
)
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.pretrade import PreTradeCheck
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.journal.exit_order_records import (
    EARLIER_MAX,
    KIND,
    TAKEN_DOWN,
    TO_TRADE,
    EndedPair,
    ExitPairRecord,
    body_of,
    exit_pair_of,
)
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import EXIT_TRADED
from rebalancer.ops.clock import Clock
from rebalancer.planning.exit_levels import ExitLevel

PAUSE_MOST_SECONDS: Final = 300.0
GATE: Final = "gate:"  # prefix of the reason of a refusal by the pre-trade check; the limit's name follows
DAY_ONLY: Final = "day_only"  # the broker's reason; see `brokers/alpaca/refusals.py`
ALERTS_LOOKED_AT: Final = 50
NEEDS_A_PERSON: Final = frozenset({"gate:form", "gate:intent", "gate:journal", "gate:throttle"})
NO_INFORMATION: Final = (BrokerUnavailable, CredentialsRefused)


class ExitOrderManager:
    """The protection of one account. `rules.protection.mode` decides only whether new pairs are placed: existing pairs
    are always tracked, and withdrawn when they are in the way."""

    def __init__(
        self,
        account_id: str,
        broker: TradingBroker,
        journal: Journal,
        kill: KillSwitch,
        clock: Clock,
        rules: Rules,
        gate: PreTradeCheck | None = None,
    ) -> None:
        """gate: the order manager's pre-trade check, so that orders and pairs are counted together; None creates a
        separate one."""
        self._account_id, self._broker, self._journal = account_id, broker, journal
        self._kill, self._clock, self._rules = kill, clock, rules
        self._gate = gate or PreTradeCheck(account_id, broker, journal, kill, rules)
        self._class = broker.venue.asset_class
        self._knows_pairs = False

    def kept(self) -> Mapping[str, ExitPairRecord]:
        """The newest record of every symbol that ever had a pair."""
        found = (exit_pair_of(event) for event in self._journal.newest_of_each(KIND, self._account_id))
        return {one.symbol: one for one in found}

    def look(self, since: datetime | None) -> ExitOrdersSeen:
        if not self._knows_pairs:
            note_lost(self._journal, self._broker, self._account_id, self.kept)
            self._knows_pairs = True
        kept = self.kept()
        living = [one for one in kept.values() if one.lives]
        ended = {
            i for one in kept.values() for gone in one.earlier if since is None or gone.at >= since for i in gone.ids
        }
        if not living and not ended:
            return ExitOrdersSeen()
        listed = {order.id: order for order in self._broker.orders(None)} if living else {}
        rows = [row for i in sorted(ended) if (row := self._broker.order(i)) is not None]
        held: dict[str, Decimal] = {}
        in_doubt: list[OpenOrder] = []
        for one in living:
            one = self._resolved(one)
            if one.state in ("intended", "unknown"):
                in_doubt.append(doubtful(one))
            if one.state != "open":
                continue
            own = pair_rows(self._broker, one.ids, listed)
            rows += own
            if all(row.state.is_final for row in own):
                self._ended(one, own, "it ended at the broker")
            else:
                left = abs(one.qty) - sum((row.filled_qty for row in own), ZERO)
                held[one.symbol] = max(left, ZERO).copy_sign(one.qty)
        return ExitOrdersSeen(tuple(rows), frozenset(row.id for row in rows), held, tuple(in_doubt))

    def release(self, symbols: Collection[str]) -> Mapping[str, str]:
        refused: dict[str, str] = {}
        down: list[ExitPairRecord] = []
        kept = self.kept()
        self._note_bare([s for s in sorted(symbols) if not lives(kept.get(s))], kept)
        for one in kept.values():
            if one.symbol not in symbols or not one.lives:
                continue
            try:
                one = self._resolved(one)
                if one.state == "open":
                    if one.bare_since is None:  # before the cancel: from here on it is unknown whether the pair rests
                        one = self._write(one._replace(bare_since=self._broker.now()))
                    self._broker.cancel(one.ids[0])  # cancelling one of a pair cancels both
                    down.append(one)
                elif one.lives:
                    refused[one.symbol] = "the broker has not said whether it has the exits of this position"
            except NO_INFORMATION as error:
                refused[one.symbol] = f"its exits at the broker could not be cancelled: {error}"
        refused |= self._await_down(down)
        return refused

    def place(self, levels: Sequence[ExitLevel]) -> None:
        wanted = {g.symbol: pair_wanted(g) for g in levels if self._rules.protection.mode == "broker"}
        wanted = {s: level for s, level in wanted.items() if level.qty != ZERO and self._class(s) == "us_equity"}
        kept = self.kept()
        self._forget([one for one in kept.values() if not one.lives and one.symbol not in wanted])
        wrong = unfit(kept, wanted, self._gate.why_no_pairs)
        in_the_way = self.release(wrong) if wrong else {}
        missing = {
            symbol: level
            for symbol, level in sorted(wanted.items())
            if symbol not in in_the_way and (symbol in wrong or not lives(kept.get(symbol)))
        }
        if missing:
            self._put_up(missing)

    def _note_bare(self, symbols: Sequence[str], kept: Mapping[str, ExitPairRecord]) -> None:
        """Record that these symbols, which have no pair, are about to trade: their positions are unprotected from now
        on."""
        if self._rules.protection.mode != "broker":
            return
        now = self._broker.now()
        rows = []
        for symbol in symbols:
            one = kept.get(symbol) or ExitPairRecord(
                symbol, "", "gone", ZERO, ZERO, ZERO, (), 0, 0, now, now, "", sent=False
            )
            if one.bare_since is None and self._class(symbol) == "us_equity":
                rows.append((KIND, symbol, body_of(one._replace(bare_since=now, because=TO_TRADE, to_trade=True))))
        if rows:
            self._journal.record_events(self._account_id, None, now, rows)

    def _forget(self, gone: Sequence[ExitPairRecord]) -> None:
        """Record that these positions are closed and need no exits; report one that had none for too long before it was
        closed."""
        lacking = [one for one in gone if one.bare_since is not None]
        if not lacking:
            return
        now = self._broker.now()
        rows = [(KIND, one.symbol, body_of(one._replace(bare_since=None))) for one in lacking]
        for one in lacking:
            if not one.to_trade:  # otherwise there may never have been a position
                rows += late_rows(self._journal, self._account_id, one, now, self._rules, "it is held no more")
        self._journal.record_events(self._account_id, None, now, rows)

    def _put_up(self, levels: Mapping[str, ExitLevel]) -> None:
        """Post the pairs of these positions, with the quantities that the broker reports now."""
        now, kept = self._broker.now(), self.kept()
        stopped = self._kill.reason(self._account_id)
        if stopped is not None:
            for symbol, level in levels.items():
                self._bare(level, kept.get(symbol), f"unprotected because the kill switch is set: {stopped}")
            return
        due = {s: level for s, level in levels.items() if not self._pausing(level, kept.get(s), now)}
        if not due:
            return
        try:
            held = {p.symbol: shares_toward_zero(p.qty, ONE_SHARE) for p in self._broker.positions()}
        except NO_INFORMATION as error:
            for symbol, level in due.items():
                said = f"unprotected because the broker does not tell what is held: {error}"
                self._bare(level, kept.get(symbol), said)
            return
        self._gate.prepare_pairs()
        for symbol, level in due.items():
            qty = held.get(symbol, ZERO)
            if qty * level.qty > 0:  # otherwise the position was closed or reversed since the level was computed
                self._post(level._replace(qty=qty), kept.get(symbol))

    def _pausing(self, level: ExitLevel, before: ExitPairRecord | None, now: datetime) -> bool:
        """Whether this same pair was refused so recently that it is not retried yet."""
        if before is None or before.lives or not before.failures or before.exits != exits_of(level):
            return False
        pause = min(self._rules.protection.poll_seconds * 2.0 ** min(before.failures, 20), PAUSE_MOST_SECONDS)
        return now - before.at < timedelta(seconds=pause)

    def _bare(self, level: ExitLevel, before: ExitPairRecord | None, because: str) -> None:
        """Record, and report once per interval, that no exit can be placed for this position."""
        now = self._broker.now()
        blank = ExitPairRecord(
            level.symbol, "", "gone", level.qty, level.stop, level.target, (), 0, 0, now, now, "", sent=False
        )
        kept = (before or blank)._replace(state="gone", because=because)
        kept = kept._replace(bare_since=kept.bare_since or now, to_trade=False)
        if kept == before:
            return
        self._alert(self._write(kept), f"{level.symbol}: {because}", level="warning")

    def _post(self, level: ExitLevel, before: ExitPairRecord | None) -> None:
        """Journal the intent, then send the pair through the pre-trade check. A pair that the broker accepts only as a
        day order is sent again as one, and placed anew each day."""
        now = self._broker.now()
        kept = intended(self._account_id, level, before, now)
        late = late_rows(self._journal, self._account_id, kept, now, self._rules, "they are being put up")
        self._journal.record_events(self._account_id, None, now, [(KIND, kept.symbol, body_of(kept)), *late])
        result = self._gate.submit_pair(pair_of(kept))
        said = f"{result.reason}: {result.message}" if result.message else result.reason
        if result.kind == "accepted" and result.order is not None and result.order.legs:
            ids = (result.order.id, *result.order.legs)
            self._stands(kept._replace(state="open", ids=ids, failures=0, because=said))
        elif result.kind == "refused" and result.reason == DAY_ONLY and not kept.day_only:
            said = "the broker takes orders for one day only in this name: its exits are placed anew on each day"
            kept = self._write(kept._replace(state="gone", because=said, day_only=True))
            self._alert(kept, f"{kept.symbol}: {said}", level="info")
            self._post(level, kept)
        elif result.kind in ("refused", "not_sent"):
            self._failed(kept, result.kind == "refused", result.reason, result.message)
        else:
            self._write(kept._replace(state="unknown", because=said))

    def _failed(self, kept: ExitPairRecord, sent: bool, reason: str, message: str) -> None:
        """Record that a pair was refused. A refusal by the pre-trade check is reported at once, any other when the
        retries are used up; each once per interval."""
        by_gate = reason.startswith(GATE)
        who = "the gate" if by_gate else "the broker" if sent else "the transport"
        because = f"unprotected because {who} refused the pair ({reason.removeprefix(GATE)}): {message or reason}"
        failed = self._write(kept._replace(state="gone", failures=kept.failures + 1, because=because, sent=sent))
        if by_gate and not self._reported_since_open(kept.symbol, reason):
            level: AlertLevel = "action" if reason in NEEDS_A_PERSON else "warning"
            self._alert(failed, f"{kept.symbol}: {because}", level=level, limit=reason)
        if failed.failures == self._rules.protection.attempts:
            self._alert(failed, f"no stop could be placed for {kept.symbol} in {failed.failures} tries: {because}")

    def _reported_since_open(self, symbol: str, reason: str) -> bool:
        """Whether this refusal has been reported already since the symbol last had a pair in place."""
        reported = self._journal.recall(self._account_id, "alert", keys=[symbol], last=ALERTS_LOOKED_AT)
        steps = self._journal.recall(self._account_id, KIND, keys=[symbol], last=ALERTS_LOOKED_AT)
        stood = max((step.seq for step in steps if step.body["state"] == "open"), default=0)
        return any(one.seq > stood and one.body.get("limit") == reason for one in reported)

    def _resolved(self, one: ExitPairRecord) -> ExitPairRecord:
        """Look up a pair whose post had no clear answer. "Not found" is conclusive only after every timeout involved
        has passed."""
        if one.state not in ("intended", "unknown"):
            return one
        found = self._broker.find_order(one.client_order_id)
        if found is not None:
            return self._stands(one._replace(state="open", ids=(found.id, *found.legs), because="found by id"))
        patience = timedelta(seconds=2 * self._rules.broker.total_timeout_seconds + 60)
        if self._broker.now() - one.intended_at > patience:
            return self._write(one._replace(state="gone", because="not known to the broker"))
        return one if one.state == "unknown" else self._write(one._replace(state="unknown", because="no answer seen"))

    def _await_down(self, down: Sequence[ExitPairRecord]) -> dict[str, str]:
        """Wait until the broker reports these pairs as ended; returns the reason for those that do not end in time."""
        refused: dict[str, str] = {}
        left = list(down)

        def look() -> list[ExitPairRecord]:
            left[:] = [one for one in left if not self._is_down(one, refused)]
            return left

        await_final(look, self._clock, self._clock.monotonic() + self._rules.execution.cancel_timeout_seconds)
        return refused | {one.symbol: "its exits at the broker are not confirmed as cancelled" for one in left}

    def _is_down(self, one: ExitPairRecord, refused: dict[str, str]) -> bool:
        """Whether the broker reports this pair as ended, which is then recorded. Puts a reason into `refused` if it
        traded."""
        try:
            own = pair_rows(self._broker, one.ids, {})
        except NO_INFORMATION:
            return False
        if not all(row.state.is_final for row in own):
            return False
        self._ended(one, own, TAKEN_DOWN)
        traded = sum((row.filled_qty for row in own), ZERO)
        if traded:
            refused[one.symbol] = f"its exits at the broker traded {text_of(traded)} shares before they were down"
        return True

    def _ended(self, one: ExitPairRecord, rows: Sequence[BrokerOrder], because: str) -> None:
        """Record that a pair is over, and before that what it traded: after a crash in between it is found again."""
        now = self._broker.now()
        for row in rows:
            if row.filled_qty > 0:
                self._note_trade(one, row, now)
        earlier = (*one.earlier, EndedPair(one.ids, now))[-EARLIER_MAX:]
        since = None if sum((row.filled_qty for row in rows), ZERO) >= abs(one.qty) else one.bare_since
        self._write(one._replace(state="gone", because=because, earlier=earlier, bare_since=since))

    def _note_trade(self, one: ExitPairRecord, row: BrokerOrder, now: datetime) -> None:
        """Record and report, once, that an order of a pair has traded."""
        noted = self._journal.recall(self._account_id, EXIT_TRADED, keys=[one.symbol], last=EARLIER_MAX)
        if any(event.body.get("order") == row.id for event in noted):
            return
        kind, did = "target" if row.id == one.ids[0] else "stop", "bought back" if row.side == "buy" else "sold"
        price = None if row.filled_avg_price is None else text_of(row.filled_avg_price)
        body = {"kind": kind, "qty": text_of(row.filled_qty), "price": price, "order": row.id}
        self._journal.record_event(self._account_id, None, row.filled_at or now, EXIT_TRADED, one.symbol, body)
        said = f"{one.symbol}: the {kind} {did} {text_of(row.filled_qty)} at {price}"
        self._alert(one._replace(at=now), said, level="warning")  # the pair may have rested for weeks

    def _stands(self, kept: ExitPairRecord) -> ExitPairRecord:
        """Record that a pair is in place, and for how long its position was without one."""
        now = self._broker.now()
        up = kept._replace(at=now, bare_since=None, to_trade=False)
        rows = gap_rows(self._journal, self._account_id, kept, now, self._rules)
        self._journal.record_events(self._account_id, None, now, [(KIND, kept.symbol, body_of(up)), *rows])
        return up

    def _write(self, kept: ExitPairRecord) -> ExitPairRecord:
        kept = kept._replace(at=self._broker.now(), to_trade=False)
        self._journal.record_event(self._account_id, None, kept.at, KIND, kept.symbol, body_of(kept))
        return kept

    def _alert(self, kept: ExitPairRecord, text: str, level: AlertLevel = "action", limit: str = "") -> None:
        more = {"limit": limit} if limit else {}
        row = alert_row(kept.symbol, level, "protection", text, **more)
        self._journal.record_event(self._account_id, None, kept.at, *row)
