"""`sectors import FILE`: rows for the sectors file from SIC codes. What stands in that file already stays as it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import log_to_stderr
from rebalancer.core.input_file import read_text
from rebalancer.core.units import amount_of

HEADER: Final = "symbol,sector,correlation_group,source,as_of"
SHOWN: Final = 10
BYTES_MOST: Final = 32 * 1024 * 1024


def import_sectors(config: Sequence[Path] | None, file: Path, *, write: bool, as_of: date | None) -> int:
    """Print the rows, or add those of new symbols to the sectors file. Raises BadDocument."""
    from rebalancer.market_data.sectors import read_sectors
    from rebalancer.market_data.sic_codes import read_codes, sector_lines
    from rebalancer.ops.files import put_whole, read_settled
    from rebalancer.session.setup import load_setup

    log_to_stderr()
    found = read_codes(read_settled(file, BYTES_MOST).text, str(file))
    today = datetime.now(UTC).date()  # noqa: TID251 - the rows say when they were imported
    without = [f"{one.symbol} ({one.code:04d})" for one in found if one.sector is None]
    if without:
        shown = ", ".join(without[:SHOWN]) + (f" and {len(without) - SHOWN} more" if len(without) > SHOWN else "")
        sys.stderr.write(f"{amount_of(len(without), 'symbol')} without a sector, so of sector unknown: {shown}\n")
    if not write:
        sys.stdout.write("\n".join([HEADER, *sector_lines(found, as_of or today), ""]))
        return ExitCode.DONE
    setup = load_setup(config)
    path = setup.root / setup.rules.sectors_file
    known = read_sectors(path)
    text = read_text(path) if path.exists() else HEADER + "\n"
    lines = sector_lines([one for one in found if one.symbol not in known], as_of or today)
    header = next(line for line in text.splitlines() if not line.startswith("#")).replace(" ", "").lower()
    if lines:
        put_whole(path, (text + "\n".join([*_in_columns(lines, header), ""])).encode())
    kept = sum(one.symbol in known for one in found)
    sys.stderr.write(f"{path}: {amount_of(len(lines), 'row')} added, {kept} kept as they stood\n")
    return ExitCode.DONE


def _in_columns(lines: Sequence[str], header: str) -> list[str]:
    """The rows in the columns that the file has."""
    names = HEADER.split(",")
    cells = (dict(zip(names, line.split(","), strict=True)) for line in lines)
    return [",".join(row.get(column, "") for column in header.split(",")) for row in cells]
