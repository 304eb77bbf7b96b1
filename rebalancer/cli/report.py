"""`report`: the edition of a day, a week, a month or longer, generated anew from the journal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rebalancer.cli.errors import choice, day_of, said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.other_state import setup_of
from rebalancer.cli.progress import progress
from rebalancer.report.paths import shown_path

PERIODS: Final = ("day", "week", "month", "year", "all")
FORMATS: Final = ("html", "json", "mail")


def make_report(
    config: Sequence[Path] | None,
    *,
    period: str,
    day: str | None,
    form: str,
    show: bool,
    state: Path | None = None,
) -> int:
    """Write the page and print its path, or print the JSON or the plain-text mail."""
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.journal import Journal
    from rebalancer.report.files import ReportNotWritten, write_edition
    from rebalancer.report.period.document import edition_json
    from rebalancer.report.period.gather import period_report_of
    from rebalancer.report.period.mail import edition_mail
    from rebalancer.report.period.page import redacted
    from rebalancer.session.setup import report_mode

    choice("report: --period", period, PERIODS)
    choice("report: --format", form, FORMATS)
    setup = setup_of(config, state)
    if not setup.has_journal:
        sys.stderr.write(f"error: nothing has been run yet in {setup.mode} mode\n  hint: rebalancer run-now\n")
        return ExitCode.USAGE
    with Journal.open(setup.journal) as journal, progress("reading the journal"):
        newest = next((c for c in journal.cycles(None, 1)), None)
        if newest is None:
            sys.stderr.write("error: there is no cycle yet\n  hint: rebalancer run-now\n")
            return ExitCode.USAGE
        wanted = day_of("--day", day) if day is not None else day_in_new_york(newest.started_at)
        made_at = newest.ended_at or newest.started_at
        match period:
            case "day" | "week" | "month" | "year" | "all":
                edition = period_report_of(
                    journal, newest.account_id, report_mode(setup), setup.rules, period, wanted, made_at
                )
    if form == "json":
        sys.stdout.write(edition_json(redacted(edition)))
    elif form == "mail":
        sys.stdout.write(edition_mail(edition).text)
    else:
        try:
            written = write_edition(edition, setup.reports)
        except ReportNotWritten as error:
            return said(error, ExitCode.UNEXPECTED)
        sys.stdout.write(f"{shown_path(written.html_path)}\n")
        if show:
            _open(written.html_path)
    return ExitCode.DONE


def _open(path: Path) -> None:
    """Open the page in the user's browser; without one, the path has been printed."""
    import webbrowser

    webbrowser.open(path.as_uri())
