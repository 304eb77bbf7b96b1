"""The model as a source: votes that name their model, and none at all from one that must not be used."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.research.model.training import TrainedFiles, train
from rebalancer.signals.model import booster, features
from rebalancer.signals.model.booster import BoosterSettings
from rebalancer.signals.model.files import sealed, write_model
from rebalancer.signals.model.paths import ModelFiles, model_files
from rebalancer.signals.sources.contract import SourceContext, SourceNotReady
from rebalancer.signals.sources.refresh import SourceRefresher, SymbolsWanted
from rebalancer.signals.sources.store import VoteStore
from rebalancer.signals.sources.trained_model import TrainedModel
from rebalancer.signals.sources.votes import SourceVotes
from tests.research.model.prices import closes, history
from tests.signals.vendors import KEYS, NOW, Asked, Said, StandingClock, VendorServer, rules_for
from tests.support.closed_at_end import closed_at_end

PRICES = history(trend=0.9)
SYMBOLS = PRICES.market.symbols


@pytest.fixture(scope="module")
def trained() -> TrainedFiles:
    return train(PRICES, BoosterSettings(rounds=30), 5, 3)


@pytest.fixture
def files(trained: TrainedFiles, tmp_path: Path) -> ModelFiles:
    found = ModelFiles(tmp_path / "model.json", tmp_path / "features.json")
    write_model(found, trained.raw, trained.card)
    return found


def bars(asked: Asked) -> Said:
    """Alpaca's answer, with today's bar, which must not count."""
    rows = {
        symbol: [{"t": f"{day}T05:00:00Z", "c": close} for day, close in closes(PRICES, symbol).items()]
        + [{"t": f"{NOW.date()}T05:00:00Z", "c": 1000.0}]
        for symbol in asked.params["symbols"].split(",") if symbol in SYMBOLS
    }  # fmt: skip
    return Said({"bars": rows, "next_page_token": None})


class Kit:
    """The source on a store, with Alpaca's bars from a local server."""

    def __init__(self, folder: Path, files: ModelFiles, url: str, days_most: str = "180") -> None:
        options = {"model_path": str(files.model), "features_path": str(files.features), "max_age_days": days_most}
        self.clock, self.store = StandingClock(), closed_at_end(VoteStore.open(folder / "sources.sqlite"))
        self.rules = rules_for("model", base_url=url, options=options)
        self.one = SourceRefresher("model", self.rules, self.store, self.clock, lambda: KEYS)

    def round(self, *symbols: str) -> tuple[str, str]:
        """One round, a minute after the last; what the source is, and why."""
        self.clock.pass_by(61)
        off = self.one.round(SymbolsWanted(frozenset(symbols), frozenset())).off
        return ("on", "") if off is None else (off.kind, off.because)


def test_votes_are_signals_that_name_their_model(files: ModelFiles, trained: TrainedFiles, tmp_path: Path) -> None:
    card = trained.card
    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url)
        assert kit.round(*SYMBOLS, "BTC/USD", "NONE") == ("on", "")
    votes = kit.store.votes(["model"])
    assert votes
    assert {vote.symbol for vote in votes} <= {*SYMBOLS}
    silent = {symbol: why for symbol, (_, why) in kit.store.asked("model").items() if why}
    assert silent["BTC/USD"] == "this source has no crypto pairs"
    assert silent["NONE"] == "only 0 daily closes, 253 are needed"
    rules = Rules.model_validate({"model": {"enabled": True}}).signals
    signals = SourceVotes(tmp_path / "sources.sqlite", rules, kit.clock.wall).read(kit.clock.wall())
    assert {s.id.rpartition("-")[0] for s in signals} == {f"model/{card.revision}"}
    assert card.revision == f"{card.version[:8]}.{card.features_hash[:8]}"
    assert {(s.symbol, s.score, s.confidence) for s in signals} == {(v.symbol, v.score, v.confidence) for v in votes}
    assert all(
        vote.because.startswith(f"model {card.version[:8]}, features {card.features_hash[:8]} (15): ") for vote in votes
    )


def test_a_batch_and_a_single_question_give_the_same_votes(files: ModelFiles, tmp_path: Path) -> None:
    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url)
        context = SourceContext("model", kit.rules, KEYS, kit.clock, lambda _: None, lambda: True)
        together = TrainedModel(context).fetch(SYMBOLS, NOW, kit.one.budget)
        alone = [TrainedModel(context).fetch([symbol], NOW, kit.one.budget) for symbol in SYMBOLS]
    assert together.answered == tuple(vote for one in alone for vote in one.answered) != ()
    assert together.silent == {symbol: why for one in alone for symbol, why in one.silent.items()}


def cut(files: ModelFiles) -> None:
    files.model.write_bytes(files.model.read_bytes()[:-40])


def edited(files: ModelFiles) -> None:
    body = json.loads(files.features.read_text())
    body["calibration"]["bins"][0]["confidence"] = 1.0
    files.features.write_text(json.dumps(body))


def other_schema(files: ModelFiles) -> None:
    files.features.write_text('{"schema": "rebalancer.model/2"}')


def of_other_features(files: ModelFiles) -> None:
    from rebalancer.signals.model.files import read_card

    card = read_card(files)
    files.features.write_bytes(sealed(card._replace(features_hash="0" * 12)).written())


SPOILT: list[tuple[Callable[[ModelFiles], Any], str]] = [
    (lambda files: files.model.unlink(), "model.json is not there"),
    (lambda files: files.features.unlink(), "features.json is not there"),
    (cut, "model.json is damaged, or another one than"),
    (lambda files: files.features.write_text(files.features.read_text()[:-100]), "features.json is damaged"),
    (edited, "features.json was changed since it was written"),
    (other_schema, "features.json is no description of a model"),
    (lambda files: files.features.write_bytes(b"\xff\x00"), "features.json is damaged"),
    (of_other_features, "model: it was trained on other features (000000000000) than this program's ("),
]


@pytest.mark.parametrize(("spoil", "problem"), SPOILT)
def test_a_model_that_must_not_be_used_has_its_votes_withdrawn(
    spoil: Callable[[ModelFiles], Any], problem: str, files: ModelFiles, trained: TrainedFiles, tmp_path: Path
) -> None:
    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url)
        kit.round(*SYMBOLS)
        assert kit.store.votes(["model"])
        spoil(files)
        kind, because = kit.round(*SYMBOLS)
        assert (kind, problem in because) == ("missing", True), because
        assert kit.store.votes(["model"]) == ()
        write_model(files, trained.raw, trained.card)
        assert kit.round(*SYMBOLS) == ("on", "")
        assert kit.store.votes(["model"])


def test_a_stale_model_has_no_vote(files: ModelFiles, tmp_path: Path) -> None:
    (tmp_path / "early").mkdir()
    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url, days_most="30")
        assert kit.round("NAA") == ("on", "")
        kit.clock.pass_by(30 * 86_400)
        expected = "model: its newest prices are of 2026-11-19, more than 30 days ago"
        assert kit.round("NAA") == ("missing", expected)
        early = Kit(tmp_path / "early", files, server.url)
        early.clock.now = datetime(2026, 11, 19, 15, tzinfo=UTC)
        assert early.round("NAA") == ("missing", "model: it was trained on prices to 2026-11-19, which is not over")


def test_without_the_extra_there_is_no_vote(files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = Kit(tmp_path, files, "http://127.0.0.1:9")
    monkeypatch.setattr(booster, "find_spec", lambda _: None)
    assert kit.round("NAA") == ("missing", "model: the extra `model` is not installed")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(SourceNotReady, match="not installed"):
        booster.Booster(b"{}")


def test_features_that_are_computed_otherwise_stop_the_model(
    files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = Kit(tmp_path, files, "http://127.0.0.1:9")
    move = features._move
    features.features_hash.cache_clear()
    monkeypatch.setattr(features, "_move", lambda x, end, begin, daily: move(x, end, begin, daily) * 1.001)
    kind, because = kit.round("NAA")
    assert (kind, "trained on other features" in because) == ("missing", True)
    features.features_hash.cache_clear()


def test_a_new_model_asks_about_every_name_again(files: ModelFiles, tmp_path: Path) -> None:
    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url)
        kit.round(*SYMBOLS)
        before = {vote.signal_id for vote in kit.store.votes(["model"])}
        requests = len(server.asked)
        kit.round(*SYMBOLS)
        assert len(server.asked) == requests  # still fresh
        other = train(PRICES, BoosterSettings(rounds=30, seed=9), 5, 3)
        write_model(files, other.raw, other.card)
        kit.round(*SYMBOLS)
        after = {vote.signal_id for vote in kit.store.votes(["model"])}
        assert len(server.asked) == requests + 1
        assert {name.rpartition("-")[0] for name in after} == {f"model/{other.card.revision}"}
        assert not before & after


def test_a_vote_whose_model_was_renamed_is_refused(files: ModelFiles, tmp_path: Path) -> None:
    import sqlite3

    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url)
        kit.round(*SYMBOLS)
    kit.store.close()
    with closing(sqlite3.connect(tmp_path / "sources.sqlite")) as database, database:
        database.execute("UPDATE votes SET signal_id = replace(signal_id, 'model/', 'model/0')")
    rules = Rules.model_validate({"model": {"enabled": True}}).signals
    with pytest.raises(BadDocument, match="was altered since it was stored"):
        SourceVotes(tmp_path / "sources.sqlite", rules, kit.clock.wall).read(kit.clock.wall())


def test_without_a_substitute_nothing_is_read_while_the_model_cannot_be_used(files: ModelFiles, tmp_path: Path) -> None:
    rules = Rules.model_validate({"model": {"enabled": True, "fallback_to_external_signals": False}}).signals
    with VendorServer(bars).running() as server:
        kit = Kit(tmp_path, files, server.url)
        needed = SourceVotes(tmp_path / "sources.sqlite", rules, kit.clock.wall, needed="model")
        problem = "model.fallback_to_external_signals: is false, and the model cannot be used: "
        with pytest.raises(BadDocument) as caught:
            needed.read(NOW)
        assert str(caught.value).startswith(problem + "it was not asked lately\n")
        kit.round(*SYMBOLS)
        assert needed.read(kit.clock.wall())
        kit.clock.pass_by(3 * 3600)
        with pytest.raises(BadDocument, match="it was not asked lately"):
            needed.read(kit.clock.wall())
        files.model.unlink()
        kit.round(*SYMBOLS)
        with pytest.raises(BadDocument, match=r"model\.json is not there"):
            needed.read(kit.clock.wall())
    (tmp_path / "sources.sqlite").unlink()
    with pytest.raises(BadDocument, match="it has not been asked yet"):
        needed.read(NOW)


def test_where_the_files_are(tmp_path: Path) -> None:
    usual = model_files(Rules().model, tmp_path / "project", tmp_path / "state")
    assert usual == (tmp_path / "state/model/model.json", tmp_path / "state/model/features.json")
    rules = Rules.model_validate({"model": {"model_path": "m/a.json", "features_path": "/else/b.json"}}).model
    assert model_files(rules, tmp_path, tmp_path) == (tmp_path / "m/a.json", Path("/else/b.json"))


def test_the_prices_of_a_day_that_is_over_are_enough() -> None:
    assert date(2026, 11, 19) == date.fromordinal(int(PRICES.market.day[-1])) == NOW.date() - timedelta(days=1)
