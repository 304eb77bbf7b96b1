"""Parquet files, as pandas writes them. Needs the extra `replay` (pyarrow)."""

from __future__ import annotations

import io

from rebalancer.core.documents import BadDocument
from rebalancer.core.extras import install_hint
from rebalancer.signals.formats.frames import grid_of_frame
from rebalancer.signals.formats.grid import Grid


def parquet_grid(body: bytes, place: str) -> Grid:
    """Read a Parquet file, with its index. Raises BadDocument when it cannot be read, or pyarrow is missing."""
    try:
        import pandas
        import pyarrow  # type: ignore[import-untyped]
    except ImportError:
        raise BadDocument(place, "needs pyarrow to be read", install_hint("replay")) from None
    try:
        frame = pandas.read_parquet(io.BytesIO(body), engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        problem = f"is not Parquet: {str(error)[:120]}"
        raise BadDocument(place, problem, "was the file written completely?") from None
    return grid_of_frame(frame, place)
