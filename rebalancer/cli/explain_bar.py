"""`explain SYMBOL --bar T`: a bar of a backtest, planned by the live planner."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rebalancer.cli.backtest import again
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, wants_colour
from rebalancer.core.documents import BadDocument, plain
from rebalancer.core.values import symbol_of


def show_bar(symbol: str, bar: str, folder: Path, *, as_json: bool, colour: bool) -> int:
    """Print the chain of one symbol at one bar: signal, weight, caps, target, band, order."""
    from rebalancer.report.explain import explain_text
    from rebalancer.research.bar_record import bar_at, bar_record

    try:
        name = symbol_of(symbol)
    except ValueError as error:
        raise BadDocument("explain", str(error), "such as AAPL, BRK.B or BTC/USD") from None
    run = again(folder)
    record = bar_record(run, bar_at(run, bar))
    if not as_json:
        text = explain_text(name, record, width=terminal_width(), colour=colour and wants_colour())
        sys.stdout.write(text)
        return ExitCode.DONE
    plan = record.plan
    chain = {
        "schema": "rebalancer.explain/1",
        "cycle_id": plan.cycle_id,
        "symbol": name,
        "signals": [plain(s) for s in record.snapshot.signals if s.symbol == name],
        "target": next((plain(t) for t in plan.targets if t.symbol == name), None),
        "orders": [plain(o) for o in plan.orders if o.symbol == name],
        "verdicts": [plain(v) for v in (*plan.verdicts, *plan.unsignalled) if v.symbol == name],
    }
    sys.stdout.write(json.dumps(chain, indent=1, ensure_ascii=False) + "\n")
    return ExitCode.DONE
