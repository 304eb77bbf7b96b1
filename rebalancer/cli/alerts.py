"""`alerts`: alerts sent and waiting, and a test message through every channel."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, wants_colour, warn

TONES: Final = {"warning": "warn", "action": "bad"}


def show_alerts(config: Sequence[Path] | None, *, limit: int, as_json: bool, colour: bool = True) -> int:
    """List the newest alerts, newest first, each with its delivery state on every channel."""
    from rebalancer.alerts import configured
    from rebalancer.journal import Journal
    from rebalancer.report.columns import paint, wrap
    from rebalancer.report.visible import visible
    from rebalancer.session.alert_delivery import delivery_states
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    found = configured(setup.rules.alerts, setup.environ)
    rows: list[dict[str, Any]] = []
    if setup.has_journal:
        with Journal.open(setup.journal) as journal:
            rows = delivery_states(journal, setup.rules.alerts, [channel.name for channel in found.channels], limit)
    if as_json:
        document = {"schema": "rebalancer.alerts/1", "channels": [c.name for c in found.channels], "alerts": rows}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    warn(found.problems)
    if not found.channels:
        sys.stderr.write("no channel is set up: alerts stay in the journal; see docs/how-to/alerts.md\n")
    width, painted = terminal_width(), colour and wants_colour()
    for row in rows:
        states = ", ".join(f"{channel}: {state}" for channel, state in row["channels"].items())
        head = f"{row['at']}  {row['level']:<7}  {visible(row['code'])}  {visible(row['key'])}".rstrip()
        lines = [paint(line, TONES.get(row["level"], ""), painted) for line in wrap(head, width, " " * 4, "")]
        lines += [line for text in (visible(row["text"]), states) if text for line in wrap(text, width, " " * 4)]
        sys.stdout.write("\n".join(lines) + "\n")
    if not rows:
        sys.stdout.write("no alerts\n")
    return ExitCode.DONE


def test_channels(config: Sequence[Path] | None) -> int:
    """Send one test message through each channel and print the results. Exit code 0 when all accepted it, else 69."""
    from rebalancer.alerts import Message, NotDelivered, configured
    from rebalancer.core.values import time_text
    from rebalancer.ops.clock import SystemClock
    from rebalancer.session.setup import load_setup

    setup = load_setup(config)
    found = configured(setup.rules.alerts, setup.environ)
    now = time_text(SystemClock().wall())
    subject = f"[{setup.mode.upper()}] test message"
    text = "This is a test of the alert channels. Nothing has happened.\n"
    message = Message(f"test-{now}".replace(":", ""), "info", "test", "", 1, now, subject, text)
    failed = len(found.problems)
    for problem in found.problems:
        sys.stdout.write(f"✘ {problem}\n")
    for channel in found.channels:
        try:
            channel.send(message)
            sys.stdout.write(f"✔ {channel.name}: sent to {channel.shown}\n")
        except NotDelivered as error:
            failed += 1
            sys.stdout.write(f"✘ {channel.name}: {channel.shown}: {error}\n")
    if found.heartbeat is not None:
        try:
            sys.stdout.write(f"✔ heartbeat: {found.heartbeat.shown}: {found.heartbeat.reach()}; no ping was sent\n")
        except NotDelivered as error:
            failed += 1
            sys.stdout.write(f"✘ heartbeat: {found.heartbeat.shown}: {error}\n")
    if not (found.channels or found.heartbeat or found.problems):
        sys.stdout.write("no channel is set up; see docs/how-to/alerts.md\n")
        return ExitCode.UNAVAILABLE
    return ExitCode.UNAVAILABLE if failed else ExitCode.DONE
