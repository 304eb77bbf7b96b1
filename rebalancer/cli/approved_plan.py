"""Plan files: `plan --save FILE` writes what would be traded, `run-now --plan FILE` carries out exactly that."""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_text

if TYPE_CHECKING:
    from rebalancer.core.decisions import Plan
    from rebalancer.rebalance.cycle import Narrow
    from rebalancer.session.approved_plan import NotAgreed

DISAGREEMENT_SCHEMA = "rebalancer.disagreement/1"


def save_plan(path: Path, decided: Plan) -> None:
    """Write a plan with the hashes of its snapshot and rules, atomically. Raises BadDocument."""
    from rebalancer.cli.export import write_whole
    from rebalancer.report.paths import shown_path

    write_whole(path, (decided.to_json() + "\n").encode())
    sys.stderr.write(f"plan: {shown_path(path)}; carry it out with: rebalancer run-now --plan {shown_path(path)}\n")


def narrow_to(path: Path | None, tolerance: str | None) -> Narrow | None:
    """The function that holds a cycle to the plan in a file; None without a file. Raises BadDocument."""
    from rebalancer.planning.approved_plan import QTY_TOLERANCE

    if path is None:
        if tolerance is not None:
            raise BadDocument("--tolerance", "can only be used with --plan")
        return None
    from rebalancer.core.codec import read_plan
    from rebalancer.session.approved_plan import held_to

    agreed = read_plan(read_text(path), str(path))
    return held_to(agreed, QTY_TOLERANCE if tolerance is None else _fraction(tolerance))


def refused(path: Path, error: NotAgreed, *, as_json: bool) -> int:
    """List how the current plan differs from the approved one; nothing was sent. Returns the exit code."""
    if as_json:
        document = {"schema": DISAGREEMENT_SCHEMA, "plan": str(path), "differences": list(error.differences)}
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    sys.stderr.write(f"error: {path}: the current plan differs from the approved one; nothing was sent\n")
    for line in error.differences:
        sys.stderr.write(f"  {line}\n")
    sys.stderr.write("  hint: look again with: rebalancer plan --save FILE\n")
    return ExitCode.HALTED


def _fraction(text: str) -> Decimal:
    """Parse `2%` or `0.02`: from zero up to and including 10 %."""
    try:
        number = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 <= number <= Decimal("0.1")):
        raise BadDocument("--tolerance", f"{text!r:.40} is not from 0 to 10%", "such as --tolerance 2%")
    return number
