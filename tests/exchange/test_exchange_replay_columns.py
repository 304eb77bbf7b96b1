"""Plainly written recordings are read column by column, and give what reading bar by bar gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.documents import BadDocument
from rebalancer.exchange.market import replay_files
from rebalancer.exchange.market.replay_files import read_recordings

PRICES = st.decimals(Decimal("0.001"), 99_999, places=3) | st.decimals(1, 9999, places=2)
STAMPS = {
    "days": [f"2026-11-{day:02d}" for day in range(2, 28)],
    "utc": [f"2026-11-20T14:{minute:02d}:00Z" for minute in range(30, 56)],
    "new york": [f"2026-11-20 09:{minute:02d}:00-05:00" for minute in range(30, 56)],
    "fractions": [f"2026-11-20T14:{minute:02d}:00.5Z" for minute in range(30, 56)],
}


@contextmanager
def bar_by_bar() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_files, "plain_tables", lambda *_: None)
        yield


def found(folder: Path) -> object:
    """Recordings as plain values, or the refusal."""
    try:
        recordings, digest = read_recordings(folder)
    except BadDocument as error:
        return str(error)
    return digest, {
        name: [part.tolist() if isinstance(part, np.ndarray) else part for part in one]
        for name, one in recordings.items()
    }


@st.composite
def files(draw: st.DrawFn) -> dict[str, str]:
    made: dict[str, str] = {}
    for name in draw(st.lists(st.sampled_from(["KO", "BTC-USD", "brk.b", "all"]), min_size=1, unique=True)):
        stamps = STAMPS[draw(st.sampled_from(sorted(STAMPS)))]
        lines = ["symbol," * (name == "all") + "timestamp,open,high,low,close" + ",volume"]
        for stamp in stamps[: draw(st.integers(0, 6))]:
            low, opened, closed, high = sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES)))
            prices = (opened, high, low, closed)
            if draw(st.integers(0, 40)) == 0:
                prices = draw(st.tuples(*[st.decimals(-5, 5, places=1)] * 4))
            volume = draw(st.sampled_from(["0", "", "1200", "7.000", "12.5", "x"])) if name != "KO" else "12"
            for symbol in ["KO,", "PG,"][: draw(st.integers(1, 2))] if name == "all" else [""]:
                lines.append(symbol + ",".join([stamp, *map(str, prices), volume]))
        made[f"{name}.csv"] = "\n".join(lines) + "\n"
    return made


@settings(max_examples=300, deadline=None)
@given(made=files())
def test_both_ways_of_reading_give_the_same(made: dict[str, str]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in made.items():
            (folder / file).write_text(text)
        quickly = found(folder)
        with bar_by_bar():
            assert found(folder) == quickly


def test_half_a_cent_is_rounded_to_the_even_one(tmp_path: Path) -> None:
    (tmp_path / "KO.csv").write_text("date,open,high,low,close\n2026-11-20,1.005,1.015,1.005,1.0149999\n")
    recordings, _ = read_recordings(tmp_path)
    one = recordings["KO"]
    assert [int(part[0]) for part in (one.open, one.high, one.low, one.close)] == [100, 102, 100, 101]
