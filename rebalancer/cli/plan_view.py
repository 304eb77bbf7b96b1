"""A plan as plain text, for `plan --snapshot` without `--json`."""

from __future__ import annotations

from rebalancer.core.decisions import Plan
from rebalancer.core.values import text_of
from rebalancer.report.columns import TableRow, table


def plan_lines(plan: Plan) -> str:
    """Orders in the order of sending, then the verdict on every signal."""
    lines = [f"{plan.cycle_id}  {plan.outcome}  {plan.because}  capital ${plan.capital:,.2f}", ""]
    if plan.orders:
        rows = [
            TableRow((o.symbol, o.phase, o.side, text_of(o.qty), f"{o.price:,.2f}", f"{o.notional:,.2f}"), "")
            for o in plan.orders
        ]
        lines += table(
            ("symbol", "phase", "side", "shares", "price USD", "value USD"), "<<<>>>", rows, width=None, colour=False
        )
        lines.append("")
    for verdict in (*plan.verdicts, *plan.unsignalled):
        lines.append(f"{verdict.symbol:<8} {verdict.outcome:<26} {verdict.because}")
    return "\n".join(lines) + "\n"
