"""The sources that are asked in the background, in words: for `status`, `sources list`, `doctor` and the page."""

from __future__ import annotations

from rebalancer.ops.source_status import SourceStatus
from rebalancer.report.visible import visible


def source_line(row: SourceStatus) -> str:
    """One source in one line: whether it is asked, how many names it covers, what it has spent today."""
    parts = [f"{row.covered} of {row.names} names"]
    calls = f"{row.calls} calls" if row.calls_per_day is None else f"{row.calls} of {row.calls_per_day} calls"
    parts.append(calls)
    if row.usd_per_day is not None:
        parts.append(f"{float(row.usd):.2f} of {float(row.usd_per_day):.2f} USD")
    mark = "✔" if row.is_ok else "!"
    said = f"{mark} {', '.join(parts)}"
    if row.is_ok:
        return said
    word = {"off": "off", "stopped": "not asked now"}.get(row.state, "no more today")
    until = f", again at {row.until[:16].replace('T', ' ')} UTC" if row.until else ""
    fix = f"; {visible(row.hint)}" if row.hint else ""
    return f"{said}: {word}{until}: {visible(row.because)}{fix}"


def sources_line(rows: tuple[SourceStatus, ...]) -> str:
    """All sources in one line for `status`; what is wrong is said in full, the others by their coverage."""
    return "   ".join(
        f"{visible(row.name, 30)} {row.covered}/{row.names} ✔"
        if row.is_ok
        else f"{visible(row.name, 30)} {source_line(row)}"
        for row in rows
    )
