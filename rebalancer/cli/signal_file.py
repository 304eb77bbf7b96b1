"""`signals test FILE`: what would be read from a file of signals or target weights, without reading anything else."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rebalancer.cli.errors import said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.units import amount_of
from rebalancer.core.values import text_of, time_text
from rebalancer.report.visible import visible, visible_symbol

if TYPE_CHECKING:
    from rebalancer.signals.formats.read_file import FileContent
    from rebalancer.signals.formats.signal_file import SignalFile


def try_file(config: Sequence[Path] | None, file: Path, *, mapping: str | None, as_json: bool) -> int:
    """Read one file and print its rows, each with its problem. Returns 78 when any of them cannot be used."""
    from rebalancer.session.setup import load_setup
    from rebalancer.signals.formats.read_file import Context, read_file

    mappings = load_setup(config).rules.signals.mappings
    now = datetime.now(UTC)  # noqa: TID251 - dates in a file are compared with the machine's clock
    try:
        content = read_file(file, Context(now, mappings=mappings), mapping)
    except BadDocument as error:
        if as_json:
            _print_json(None, [_without_hint(error)])
        return said(error, ExitCode.CONFIG)
    if as_json:
        _print_json(content, list(content.found.problems))
    else:
        sys.stdout.write(_table(content))
    return _verdict(file, content)


def _verdict(file: Path, content: FileContent) -> int:
    """Warnings and problems on stderr, and the exit code."""
    from rebalancer.cli.screen import warn
    from rebalancer.signals.reading import refuse

    warn(content.found.warnings)
    try:
        refuse(file, content)
    except BadDocument as error:
        return said(error, ExitCode.CONFIG)
    return ExitCode.DONE


def _print_json(content: FileContent | None, problems: list[str]) -> None:
    found = None if content is None else content.found
    document: dict[str, Any] = {
        "schema": "rebalancer.signals-test/1",
        "format": None if found is None else found.format,
        "complete": False if found is None else found.complete,
        "rows": [] if found is None else _rows(found),
        "weights_of": None if found is None else found.weights_of,
        "as_of": None if found is None or found.as_of is None else time_text(found.as_of),
        "warnings": [] if found is None else list(found.warnings),
        "problems": problems,
    }
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _rows(found: SignalFile) -> list[dict[str, Any]]:
    return [
        {
            "line": row.line,
            "symbol": row.symbol,
            "kind": row.kind,
            "value": None if row.value is None else text_of(row.value),
            "source": row.source,
            "problem": row.problem,
        }
        for row in found.rows
    ]


def _table(content: FileContent) -> str:
    found = content.found
    head = f"{found.format}, {amount_of(len(found.rows), 'row')}" + (", complete" if found.complete else "")
    lines = [head]
    for row in found.rows:
        value = "" if row.value is None else text_of(row.value)
        lines.append(
            f"{row.line:>6}  {visible_symbol(row.symbol):<10} {row.kind:<7} {value:>14}  {visible(row.source, 40)}"
            + (f"  ✘ {visible(row.problem)}" if row.problem else "")
        )
    return "\n".join(lines) + "\n"


def _without_hint(error: BadDocument) -> str:
    return f"{error.where}: {error.problem}"
