# ruff: noqa: E501 - one bug a line is how the table is read
"""Bugs planted by hand, each a small change of one product file, and the quickest tests that must notice it.

A rig that passes with one of these in place has no teeth there. `python -m tests.mutants` plants them one by one.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Mutant(NamedTuple):
    """One planted bug. `old` stands exactly once in the file; `tests` are pytest's arguments, or `sim FIRST-LAST`."""

    name: str
    file: str
    old: str
    new: str
    tests: str


_LAWS: Final = "tests/planning/test_plan_laws.py tests/planning/test_stages.py tests/planning/test_caps_after_fills.py"
_EXAMPLES: Final = "tests/planning/test_examples.py " + _LAWS
_DAY: Final = "tests/planning/test_day_limits.py tests/rebalance/test_stops_and_budgets.py " + _LAWS
_FUNDING: Final = "tests/rebalance/test_funding.py"
_UNKNOWN: Final = "tests/rebalance/test_unknown_orders.py"
_SWEEP: Final = "tests/rebalance/test_crash_sweep.py"
_DEAD: Final = (
    _SWEEP
    + "::test_a_crash_leaves_orders_working_that_the_next_start_cancels "
    + _SWEEP
    + "::test_some_crashes_during_recovery"
)
_RECONCILE: Final = "tests/rebalance/test_reconciliation.py tests/rebalance/test_unknown_orders.py"
_DAMAGE: Final = "tests/journal/test_journal_damage.py tests/journal/test_journal_storage.py"
_ORDERS: Final = "tests/journal/test_journal_orders.py tests/journal/test_journal_cycles.py"
_SUBMIT: Final = "tests/brokers/test_submit_faults.py tests/brokers/test_refusals.py"

# two lines keep the key at home, and each alone is enough: the bug is that both are gone
_REDIRECTS: Final = """kwargs["allow_redirects"] = False
        response = super().request(method, url, *args, **kwargs)
        call.status, call.headers = response.status_code, response.headers
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  # the name is requests' own
        return None"""
MUTANTS: Final = (
    # core
    Mutant("buying power is not looked at", "planning/core/fund.py", "size if value_up(size, reserve, divisor) <= money else affordable(money, reserve, divisor, lot)", "size", _LAWS),
    Mutant("a cap has twice the room", "planning/core/usage.py", "Headroom(max(left, 0), tightest)", "Headroom(max(left, 0) * 2, tightest)", _LAWS),
    Mutant("one order too many per symbol", "planning/core/fund.py", "elif mine >= numbers.orders_per_symbol:", "elif mine > numbers.orders_per_symbol:", _DAY),
    Mutant("increases eat the reserve of reductions", "planning/core/fund.py", "elif day - numbers.orders_reserved <= 0:", "elif day <= 0:", _DAY),
    Mutant("sells more than is available", "planning/core/phases.py", "size = min(abs(asked), most, available)", "size = min(abs(asked), most)", _LAWS),
    Mutant("a crossed quote is a price", "planning/validate_signals.py", "if quote.bid > quote.ask:", "if False:", _EXAMPLES),
    Mutant("an old quote is a price", "planning/validate_signals.py", "if not age <= age_max_seconds:", "if not age <= age_max_seconds * 100:", _EXAMPLES),
    Mutant("the kill switch is ignored by the plan", "planning/trading_halt.py", "if snapshot.kill_switch:", "if False:", _LAWS),
    Mutant("no buffer before the close", "planning/trading_hours.py", "return is_open and session.close - now >= timedelta(seconds=rules.execution.close_buffer_seconds)", "return is_open", "tests/planning/test_stages.py"),
    Mutant("losses count half", "planning/trading_halt.py", "if share is None or not share < largest:", "if share is None or not share < largest * 2:", _DAY),
    Mutant("an unknown order freezes nothing", "planning/reconcile.py", "if order.unknown:", "if False:", _UNKNOWN),
    Mutant("open orders do not count against caps", "planning/reconcile.py", "return high if abs(high) >= abs(low) else low", "return held", _LAWS),
    Mutant("an unknown order settles as if it had ended", "planning/verdicts.py", "if OrderState.UNKNOWN in states or OrderState.OPEN in states or OrderState.INTENDED in states:", "if OrderState.OPEN in states:", "tests/planning/test_settle.py"),
    Mutant("what phase one did is forgotten", "planning/core/decide.py", "        if filled[i] != 0:", "        if False:", _FUNDING + " " + _LAWS),
    Mutant("a stop between the phases is not seen", "planning/refit_increases.py", "if halt.stop or halt.denied is not None:", "if False:", _FUNDING + " tests/rebalance/test_stops_and_budgets.py " + _LAWS),
    Mutant("own caps are not applied", "planning/core/project.py", "weight[i] = min(grown(size[i], member, i, factor), own[i])", "weight[i] = grown(size[i], member, i, factor)", "tests/planning/test_cap_laws.py " + _LAWS),
    # journal
    Mutant("hashes are not compared", "journal/chain.py", "if row_hash(row) != row.hash:", "if False:", _DAMAGE),
    Mutant("a lost tail is not missed", "journal/head_checkpoint.py", "if last_seq < seq:", "if False:", _DAMAGE),
    Mutant("another history is not noticed", "journal/head_checkpoint.py", "if hash_at(seq) != row_hash:", "if False:", _DAMAGE),
    Mutant("commits are not synced", "journal/sqlite.py", '"synchronous": 2,  # FULL', '"synchronous": 0,', "tests/journal/test_power_cut.py"),
    Mutant("an ended id is used again", "journal/writing.py", "elif known.state.is_final:", "elif False:", _ORDERS),
    Mutant("a slot can be claimed twice", "journal/writing.py", ":cycle_id\", mine):\n        return False", ":cycle_id\", mine):\n        return True", _ORDERS),
    Mutant("a refusal of a second attempt is final", "journal/orders.py", "if order.state is _S.UNKNOWN and change.state is _S.REFUSED and after.broker_id is None:", "if False:", _ORDERS),
    Mutant("fills may shrink", "journal/orders.py", "if change.filled_qty < order.filled_qty:", "if False:", _ORDERS),
    Mutant("a cycle closes over working orders", "journal/writing.py", "    _refuse_unended(writing, end, carried)\n    named", "    named", _ORDERS),
    Mutant("writing transactions begin as readers", "journal/sqlite.py", '"append": "BEGIN IMMEDIATE"', '"append": "BEGIN"', "tests/journal/test_journal_processes.py " + _DAMAGE),
    Mutant("a missing row is not missed", "journal/chain.py", "if row.seq != seq + 1:", "if False:", _DAMAGE),
    # cycle, recovery, order manager
    Mutant("a slot runs although it is taken", "rebalance/cycle.py", "if not world.journal.begin_cycle(start):", "if world.journal.begin_cycle(start) is None:", "tests/rebalance/test_calls.py tests/rebalance/test_execute.py tests/rebalance/test_whole_cycle.py sim 1-6"),
    Mutant("the books forget what was traded", "rebalance/cycle_end.py", "expected[symbol] = expected.get(symbol, ZERO) + qty", "expected[symbol] = expected.get(symbol, ZERO)", "tests/rebalance/test_whole_cycle.py"),
    Mutant("not found means never placed", "rebalance/recover.py", "if waited <= patience:", "if False:", _UNKNOWN),
    Mutant("what still works is not cancelled", "rebalance/recover.py", "            broker.cancel(found.id)", "            pass", _DEAD),
    Mutant("the dead cycle's fills are counted twice", "rebalance/recover.py", "            fills[order.broker_id] = order.filled_qty\n", "            pass\n", _DEAD),
    Mutant("a dead cycle stays open", "rebalance/recover.py", "            _abandon(world, cycle)", "            pass", _DEAD),
    Mutant("a silence counts as not sent", "execution/order_tracking.py", ".get(result.kind, OrderState.UNKNOWN)", ".get(result.kind, OrderState.NOT_SENT)", _UNKNOWN),
    Mutant("an order with our prefix from elsewhere is ours", "rebalance/broker_orders.py", "    if unknown:\n        raise UnknownOrders", "    if False:\n        raise UnknownOrders", _RECONCILE),
    Mutant("unreadable kill switch counts as clear", "execution/kill_switch.py", '        return f"{path} cannot be read: {error.problem.removeprefix(\'cannot be read: \')}"', "        return None if error else None", "tests/rebalance/test_stops_and_budgets.py"),
    # broker
    Mutant("a timeout after sending counts as not sent", "brokers/alpaca/submit.py", '"unknown" if silence.sent else "not_sent"', '"not_sent"', _SUBMIT),
    Mutant("a duplicate id is a refusal", "brokers/alpaca/refusals.py", '"unknown" if reason == "duplicate_id" else "refused"', '"refused"', _SUBMIT),
    Mutant("a 5xx is a refusal", "brokers/alpaca/refusals.py", "if not 400 <= status < 500 or status == 408:", "if not 400 <= status < 600 or status == 408:", _SUBMIT),
    Mutant("only the first page is read", "brokers/alpaca/paging.py", "if len(page) < ORDERS_A_PAGE:", "if True:", "tests/brokers/test_paging.py"),
    Mutant("alpaca-py repeats orders by itself", "brokers/alpaca/transport.py", "        self._retry = 0\n        self._retry_codes = []", "        self._retry_wait = 0", _SUBMIT),
    Mutant("redirects are followed with the key", "ops/deadline_session.py", _REDIRECTS, _REDIRECTS.replace("= False", "= True").replace("return None", "return super().get_redirect_target(resp)"), "tests/brokers/test_submit_faults.py tests/brokers/test_read_faults.py"),
    Mutant("an order list that is torn is an empty one", "brokers/alpaca/broker.py", "return tuple(order for order in read if order is not None)", "return tuple(order for order in list(read)[:0])", "tests/brokers"),
)  # fmt: skip
