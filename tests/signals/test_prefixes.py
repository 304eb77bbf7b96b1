"""A file that was cut anywhere never passes for another set of signals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from tests.signals.files import read

ROWS: list[dict[str, object]] = [
    {"symbol": "AAPL", "score": 0.85, "confidence": 0.95, "issued_at": "2026-11-20T15:34:00Z", "target_price": "210.5"},
    {"symbol": "ON", "score": -0.12, "confidence": 1, "issued_at": "2026-11-20T15:34:00.25Z", "target_price": "99"},
    {"symbol": "BRK.B", "score": 1, "confidence": 0.5, "issued_at": "2026-11-20T15:34:00Z", "target_price": "1000"},
]
CSV = ",".join(ROWS[0]) + "\n" + "".join(",".join(str(v) for v in row.values()) + "\n" for row in ROWS)
QUOTED = CSV.replace("AAPL", '"AAPL"').replace("\n", "\r\n")
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)

WHOLE_OR_NOTHING = {
    "desk.json": [json.dumps(ROWS, indent=1), json.dumps({"signals": ROWS}), json.dumps(ROWS) + "\n"],
    "desk.csv": ["# rows: 3\n" + CSV, "# rows: 3\r\n" + QUOTED],
    "desk.jsonl": ['{"rows": 3}\n' + LINES],
}


def _read(folder: Path, text: str, name: str) -> tuple[Signal, ...] | None:
    try:
        return read(folder, text, name)
    except BadDocument:
        return None


@pytest.mark.parametrize(
    ("name", "text"), [(n, t) for n, texts in WHOLE_OR_NOTHING.items() for t in texts], ids=lambda t: t[:12]
)
def test_prefix_is_the_full_set_or_refused(name: str, text: str, tmp_path: Path) -> None:
    full = read(tmp_path, text, name)
    assert len(full) == 3
    outcomes = [_read(tmp_path, text[:cut], name) for cut in range(len(text))]
    assert {outcome for outcome in outcomes if outcome is not None} <= {full}
    assert outcomes.count(None) >= len(text) - 2


@pytest.mark.parametrize(("name", "text"), [("desk.csv", CSV), ("desk.csv", QUOTED), ("desk.jsonl", LINES)])
def test_prefix_without_an_announced_number_is_whole_rows_or_refused(name: str, text: str, tmp_path: Path) -> None:
    """Cut exactly between two rows, such a file looks whole; cut anywhere else it is refused."""
    full = {s.symbol: s for s in read(tmp_path, text, name)}
    for cut in range(len(text)):
        found = _read(tmp_path, text[:cut], name)
        if found is not None:
            between_rows = text[:cut].endswith(("\n", "\r", "}"))
            assert between_rows
            assert [s.symbol for s in found] == sorted(str(r["symbol"]) for r in ROWS[: len(found)])
            assert all(full[s.symbol] == s for s in found)
