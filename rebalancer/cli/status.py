"""`status`: one screen from the local journal alone, within 300 ms.

Therefore nothing heavy is imported, and the configuration is not read: the status shows what ran last even when the
configuration is broken. Of the journals (simulated, paper, live) it shows the one that was written last. The next cycle
and the newest page are read from a few small files; no request is made.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.journal_places import journal_places
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.core.documents import plain
from rebalancer.journal.newest import newest_journal
from rebalancer.journal.status_query import query_status
from rebalancer.ops.paths import state_directory
from rebalancer.report.figures.figure import document_of
from rebalancer.report.records import Mode, StatusView
from rebalancer.report.status import status_text
from rebalancer.report.status_view import nothing_yet, view_of, with_schedule
from rebalancer.settings.profile import PROFILE, environment_of

MODES: Final[tuple[Mode, ...]] = ("simulated", "paper", "live")


def show_status(*, as_json: bool, colour: bool, exit_code: bool = False) -> int:
    """Print the status. Exit code 0, also when nothing has been run yet; with exit_code 1 when the account's sessions
    are not kept going."""
    view, _ = gathered(MODES)
    sys.stdout.write(written(view, {}) if as_json else shown(view, colour=colour))
    if not exit_code:
        return ExitCode.DONE
    from rebalancer.cli.health import exit_code_of_account

    return exit_code_of_account(datetime.now(UTC))  # noqa: TID251 - as in `gathered`


def watch_status(*, colour: bool) -> int:
    """Show the live view of the account that ran last, every two seconds on a terminal, once in a pipe."""
    from rebalancer.cli.watch import watch
    from rebalancer.report.live.gather import LivePlace, LiveReader
    from rebalancer.report.live.records import LiveView
    from rebalancer.report.live.screen import live_text

    readers = {
        mode: LiveReader(LivePlace(place.parent, mode, place))
        for mode, place in ((mode, journal_places()[mode]) for mode in MODES)
    }

    def screen() -> str:
        now = datetime.now(UTC)  # noqa: TID251 - as in `gathered`
        mode = newest_mode(MODES) or MODES[0]
        view = LiveView((readers[mode].read(now),), now)
        return live_text(view, width=terminal_width(), colour=colour and wants_colour())

    watch(screen)
    return ExitCode.DONE


def newest_mode(modes: Sequence[Mode]) -> Mode | None:
    """The mode whose journal was written last; None when there is no journal."""
    places = journal_places()
    found = newest_journal([(mode, places[mode]) for mode in modes])
    return None if found is None else found[0]


def gathered(modes: Sequence[Mode]) -> tuple[StatusView, Mapping[str, Decimal]]:
    """What the journal knows of the account that ran last in one of these modes, and the signed shares it should
    hold."""
    now = datetime.now(UTC)  # noqa: TID251 - the age of the last cycle is shown by this machine's clock
    view, expected, rules = nothing_yet(now)._replace(mode=modes[0]), dict[str, Decimal](), None
    mode = newest_mode(modes)
    if mode is not None:
        place = journal_places()[mode]
        look = query_status(place, now=now)
        if look is not None:
            view = view_of(look, mode, place, now)
            rules = None if look.rules is None else json.loads(look.rules)
            expected = dict(look.last_end.expected_positions) if look.last_end is not None else expected
    view = with_schedule(view, {mode: state_directory() / mode for mode in modes}, rules, now)
    profile = os.environ.get(PROFILE, "").strip()
    return view._replace(environment=environment_of(os.environ).name, profile=profile), expected


def shown(view: StatusView, *, colour: bool) -> str:
    """The status as a screen."""
    return status_text(view, width=terminal_width(), colour=colour and wants_colour())


def written(view: StatusView, more: Mapping[str, object]) -> str:
    """The status as a JSON document, with additional keys."""
    because = {"environment_because": environment_of(os.environ).because}
    facts = plain(view) | {"figures": document_of(view.figures)}
    same = {"last_cycle": facts["last"], "next_cycle": facts["next_at"]}
    document = {"schema": "rebalancer.status/1", **facts, **same, **because, **more}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
