"""`monitor`: the signals of the last minutes and what became of them, live on a terminal."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.journal_places import journal_places
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.cli.status import MODES, gathered
from rebalancer.cli.watch import watch
from rebalancer.core.documents import plain
from rebalancer.journal.status_query import RecentCycle, query_recent_cycles
from rebalancer.report.monitor import SignalActivity, activity_of, activity_text
from rebalancer.report.numbers import masked
from rebalancer.report.records import StatusView
from rebalancer.report.words import MODE_NAME

MINUTES_MAX: Final = 7 * 24 * 60
MORE: Final = 500  # cycles beyond one a minute: runs by hand and exits


def show_monitor(minutes: int, *, as_json: bool, colour: bool) -> int:
    """Print the signals of the last minutes; on a terminal again and again until Ctrl-C."""
    if as_json:
        _, found = _activity(minutes)
        document = {"schema": "rebalancer.monitor/1", "minutes": minutes, **plain(found)}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    watch(lambda: _screen(minutes, colour=colour and wants_colour()))
    return ExitCode.DONE


def _screen(minutes: int, *, colour: bool) -> str:
    view, found = _activity(minutes)
    stopped = f"   ✘ stopped: {view.stopped}" if view.stopped else ""
    head = f"{MODE_NAME[view.mode]} {masked(view.account_id)}{stopped}"
    return activity_text(found, head, width=terminal_width(), colour=colour)


def _activity(minutes: int) -> tuple[StatusView, SignalActivity]:
    """The account that ran last, and its signals up to now by its own clock."""
    view, _ = gathered(MODES)
    since = view.now - timedelta(minutes=minutes)
    cycles: tuple[RecentCycle, ...] = ()
    if view.account_id:
        cycles = query_recent_cycles(journal_places()[view.mode], view.account_id, since, minutes + MORE)
    last = cycles[0].cycle if cycles else None
    return view, activity_of(cycles, since, view.now, last)
