"""The sources that a cycle reads."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.signals import CombinedSignals, FileSignals, JournalSignals, SampleSignals, sample_signals
from rebalancer.signals.sources import SignalSource
from tests.signals.files import NOW, write
from tests.signals.markets import market

HEADER = "symbol,score,confidence\n"


class Store:
    """Signals in memory, as the journal keeps them."""

    def __init__(self, *kept: Signal) -> None:
        self._kept = kept

    def signals(self, since: datetime) -> tuple[Signal, ...]:
        return tuple(s for s in self._kept if s.issued_at >= since)


def signal(name: str, symbol: str = "A", minutes: int = 0, score: float = 0.5) -> Signal:
    return Signal(name, symbol, score, 1.0, "api", NOW - timedelta(minutes=minutes))


def test_default_folder_may_be_absent_a_named_one_may_not(tmp_path: Path) -> None:
    assert FileSignals(tmp_path / "signals", required=False).read(NOW) == ()
    assert FileSignals(tmp_path / "file.csv" / "below", required=False).read(NOW) == ()
    with pytest.raises(BadDocument) as caught:
        FileSignals(tmp_path / "mine", required=True).read(NOW)
    assert str(caught.value) == f"{tmp_path}/mine: is not there\n  hint: correct signals.path, or put the signals there"


@pytest.mark.parametrize("required", [True, False])
def test_what_is_there_is_read_in_either_case(required: bool, tmp_path: Path) -> None:
    source = FileSignals(tmp_path, required=required)
    assert source.read(NOW) == ()
    write(tmp_path / "d.csv", HEADER + "A,1,1\n")
    assert [s.symbol for s in source.read(NOW)] == ["A"]
    write(tmp_path / "d.csv", HEADER)
    with pytest.raises(BadDocument):
        source.read(NOW)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(BadDocument):
        FileSignals(tmp_path / "link", required=required).read(NOW)


def test_warnings_go_to_the_log_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "notes.txt", "x")
    write(tmp_path / "d.csv", "symbol,action,confidence\nA,HOLD,50\n")
    source = FileSignals(tmp_path, required=True)
    with caplog.at_level(logging.INFO):
        assert source.read(NOW) == source.read(NOW) != ()
    assert caplog.messages == [
        f"{tmp_path}/notes.txt: ignored, it is none of .csv, .tsv, .json, .jsonl, .parquet, .xlsx"
    ]


def test_journal_signals_of_the_last_while() -> None:
    new, old = signal("new", minutes=60), signal("old", minutes=61)
    assert JournalSignals(Store(new, old), timedelta(minutes=60)).read(NOW) == (new,)
    assert JournalSignals(Store(new, old)).read(NOW) == (new, old)


def test_combined_sources_count_a_shared_signal_once() -> None:
    one, two, three = signal("s1", "B"), signal("s2", "A"), signal("s3", "A")
    sources: list[SignalSource] = [JournalSignals(Store(one, three)), JournalSignals(Store(two, one))]
    assert CombinedSignals(sources).read(NOW) == (two, three, one)
    assert CombinedSignals([]).read(NOW) == ()


def test_combined_sources_refuse_one_id_for_two_signals() -> None:
    sources = [JournalSignals(Store(signal("s1"))), JournalSignals(Store(signal("s1", score=-1)))]
    with pytest.raises(BadDocument, match="'s1' stands for two different signals"):
        CombinedSignals(sources).read(NOW)


def test_sample_source_is_the_sample() -> None:
    closes = market(names=6)
    assert SampleSignals(closes).read(NOW) == sample_signals(closes, NOW) != ()
