"""The result of a backtest for people, in lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rebalancer.cli.screen import terminal_width
from rebalancer.report.columns import TableRow, paint, table
from rebalancer.report.numbers import fixed, money, percent
from rebalancer.research.backtest import Backtest
from rebalancer.research.figures import audit_text, sentence

OUTCOMES_SHOWN: Final = 8


def text_of(run: Backtest, *, colour: bool) -> list[str]:
    """The result for people, in lines."""
    result = run.result
    lines = [sentence(run), ""]
    rows = [
        ("bars, names", f"{fixed(len(run.setup.market.times), 0)}, {fixed(len(run.setup.market.symbols), 0)}"),
        ("orders, fills", f"{fixed(result.orders, 0)}, {fixed(result.fills, 0)}"),
        ("turnover a year", fixed(result.turnover / run.years, 2)),
        *((name, said) for name, said in _among_trials(run)),
        ("deepest fall", percent(float(run.drawdown.min()), 2)),
        *((f"cost: {kind}", money(float(amount))) for kind, amount in result.costs._asdict().items()),
        ("engine", f"{result.engine}, {fixed(result.seconds, 2)} s"),
        ("audit", audit_text(run)),
    ]
    if run.live is not None:
        rows.append(("plans equal to live", f"{fixed(run.live.equal, 0)} of {fixed(run.live.cycles, 0)}"))
    width = terminal_width()
    lines += table(("", ""), "<>", [TableRow(row) for row in rows], width=width, colour=colour)[1:]
    codes = sorted(result.outcomes.items(), key=lambda pair: (-pair[1], pair[0]))[:OUTCOMES_SHOWN]
    if codes:
        counted = [TableRow((str(code), fixed(count, 0))) for code, count in codes]
        lines += ["", *table(("outcome", "names x plans"), "<>", counted, width=width, colour=colour)]
    if sum(result.costs) == 0:
        lines += [
            "",
            paint("NO COSTS: nothing that trading and holding would have cost is in this result", "bad", colour),
        ]
    return lines


def _among_trials(run: Backtest) -> Iterator[tuple[str, str]]:
    """The Sharpe ratio beside the number of trials it was chosen from."""
    found = run.overfitting
    if found is None or found.sharpe is None:
        return
    yield "Sharpe ratio a year", fixed(found.sharpe, 2)
    yield "deflated Sharpe ratio", f"{fixed(found.deflated_sharpe, 2)}: the probability that it is no luck"
    yield "trials", found.note
    if found.pbo is not None:
        yield "overfitting", f"{percent(found.pbo, 0)} probability among {found.pbo_trials:,} settings"
