"""`sources run`, `sources list` and `sources test`."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.errors import said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument

if TYPE_CHECKING:
    from rebalancer.signals.sources.contract import Votes


def run_process(config: Sequence[Path] | None, *, with_parent: bool) -> int:
    """Ask the enabled sources until SIGTERM or SIGINT; then 0."""
    from rebalancer.cli.parent import when_parent_ends
    from rebalancer.cli.screen import log_to_stderr
    from rebalancer.ops.notify import Notify
    from rebalancer.session.setup import load_setup, refuse_unasked_exchange
    from rebalancer.session.source_process import ask_sources
    from rebalancer.session.stop import Stop

    log_to_stderr()
    setup = load_setup(config)
    if not with_parent:
        refuse_unasked_exchange(setup)
    names = ", ".join(setup.rules.signals.enabled_sources)
    if not names:
        raise BadDocument("signals.sources", "no source is enabled", "such as {alpaca_news: {enabled: true}}")
    ending = threading.Event()
    stop = Stop("sources", lambda _: ending.set())
    if with_parent:
        when_parent_ends(ending.set)
    notify = Notify.from_environment(os.environ)
    with stop.on_signals():
        sys.stderr.write(f"sources: {names} ({setup.mode})\n")
        sys.stderr.flush()
        notify.ready(names)
        ask_sources(setup, ending)
    return ExitCode.DONE


def list_sources(config: Sequence[Path] | None, *, enabled: bool, as_json: bool) -> int:
    """Every source with its state; with `enabled` the names of those that are, one a line."""
    from rebalancer.ops.source_status import current_sources
    from rebalancer.session.setup import load_setup
    from rebalancer.session.source_process import missing_keys
    from rebalancer.signals.sources.catalog import BUILT_IN

    setup = load_setup(config)
    rules = setup.rules.signals
    if enabled and not as_json:
        sys.stdout.write("".join(f"{name}\n" for name in rules.enabled_sources))
        return ExitCode.DONE
    reported = {row.name: row for row in current_sources(setup.state)}
    names = [*BUILT_IN, *(name for name in rules.sources if name not in BUILT_IN)]
    rows = []
    for name in names:
        row = reported.get(name)
        is_enabled = name in rules.enabled_sources
        if is_enabled or not enabled:
            missing = missing_keys(setup, name)
            status = row._asdict() if row is not None and is_enabled else None
            rows.append({"name": name, "enabled": is_enabled, "weight": rules.weight_of(name) if is_enabled else None,
                         "keys_missing": missing, "status": status})  # fmt: skip
    if as_json:
        document = {"schema": "rebalancer.source-list/1", "universe": rules.universe, "sources": rows}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return ExitCode.DONE
    from rebalancer.report.sources import source_line

    for one in rows:
        name = str(one["name"])
        missing = missing_keys(setup, name)
        row = reported.get(name) if one["enabled"] else None
        said = source_line(row) if row is not None else "enabled, not asked yet" if one["enabled"] else "off"
        sys.stdout.write(f"{name:<14} {said}" + (f"   needs {', '.join(missing)}" if missing else "") + "\n")
    return ExitCode.DONE


def ask_source(config: Sequence[Path] | None, name: str, symbols: str, *, as_json: bool) -> int:
    """Ask one source once about these symbols, within its budget, and print its votes. Nothing trades on them."""
    from rebalancer.core.values import symbol_of
    from rebalancer.ops.clock import SystemClock
    from rebalancer.session.setup import load_setup
    from rebalancer.session.source_process import asked_signals, keys_now
    from rebalancer.signals.sources.contract import SourceProblem
    from rebalancer.signals.sources.one_question import ask_once

    setup = load_setup(config)
    try:
        asked = [symbol_of(symbol) for symbol in symbols.split(",")]
    except ValueError as error:
        return said(f"{error}\n  hint: write it as AAPL, BRK.B or BTC/USD", ExitCode.USAGE)
    try:
        found = ask_once(asked_signals(setup), setup.state, name, asked, keys_now(setup), SystemClock())
    except SourceProblem as error:
        return said(f"{error}" + (f"\n  hint: {error.hint}" if error.hint else ""), ExitCode.UNAVAILABLE)
    print_votes(name, found, as_json=as_json)
    return ExitCode.DONE


def print_votes(name: str, found: Votes, *, as_json: bool) -> None:
    """What a source said, for people or as JSON."""
    if as_json:
        votes = [{**vote._asdict(), "citations": list(vote.citations)} for vote in found.answered]
        document = {"schema": "rebalancer.source-test/1", "source": name, "votes": votes, "silent": dict(found.silent)}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return
    from rebalancer.report.visible import visible

    for vote in found.answered:
        sys.stdout.write(
            f"{vote.symbol:<10} {vote.score:+.2f}  confidence {vote.confidence:.2f}  {visible(vote.because)}\n"
        )
        sys.stdout.write("".join(f"{'':<11}{visible(url)}\n" for url in vote.citations))
    sys.stdout.write("".join(f"{symbol:<10} silent: {visible(why)}\n" for symbol, why in found.silent.items()))
