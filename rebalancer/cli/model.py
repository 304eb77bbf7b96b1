"""`model train`, `model score` and `model card`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rebalancer.cli.errors import said
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.screen import terminal_width, warn
from rebalancer.core.documents import BadDocument
from rebalancer.report.paths import shown_path

if TYPE_CHECKING:
    from rebalancer.research.price_files import PriceHistory
    from rebalancer.session.setup import Setup
    from rebalancer.signals.model.files import ModelCard
    from rebalancer.signals.sources.contract import SourceProblem

DAYS_OF_YEAR: Final = 252
SAMPLE_NOTE: Final = "these are simulated prices: what the model learns from them says nothing about real ones"


class TrainOptions(NamedTuple):
    """The options of `model train`, as they were written."""

    prices: Path | None
    symbols: str | None
    years: float
    horizon: int
    folds: int
    rounds: int
    seed: int


def train_model(config: Sequence[Path] | None, options: TrainOptions, *, as_json: bool) -> int:
    """Train, write both files, and show the card."""
    from rebalancer.research.model.training import train
    from rebalancer.session.setup import load_setup
    from rebalancer.signals.model import booster
    from rebalancer.signals.model.booster import BoosterSettings
    from rebalancer.signals.model.files import write_model
    from rebalancer.signals.model.paths import model_files
    from rebalancer.signals.sources.contract import SourceNotReady

    if not booster.is_installed():
        return said(f"the extra `model` is not installed\n  hint: {booster.HINT}", ExitCode.CONFIG)
    setup = load_setup(config)
    history = _prices(setup, options)
    settings = BoosterSettings(rounds=options.rounds, seed=options.seed)
    try:
        found = train(history, settings, options.horizon, options.folds)
    except SourceNotReady as error:
        return _unusable(error)
    files = model_files(setup.rules.model, setup.root, setup.state)
    try:
        write_model(files, found.raw, found.card)
    except OSError as error:
        raise BadDocument(str(error.filename or files.model), f"cannot be written: {error.strerror}") from None
    _print(found.card, as_json=as_json)
    if options.prices is None and setup.mode == "simulated":
        warn([SAMPLE_NOTE])
    for path in files:
        sys.stderr.write(f"written: {shown_path(path)}\n")
    if not setup.rules.model.enabled:
        sys.stderr.write("to trade on it: model: {enabled: true} in the configuration\n")
    return ExitCode.DONE


def score_model(config: Sequence[Path] | None, symbols: str | None, *, keeps: bool, as_json: bool) -> int:
    """Ask the model once, about these symbols or all that the sources are asked."""
    from rebalancer.cli.connection import connected
    from rebalancer.cli.sources import print_votes
    from rebalancer.ops.clock import SystemClock
    from rebalancer.session.setup import load_setup
    from rebalancer.session.source_process import asked_signals, embedded_keys, keys_now, symbols_now
    from rebalancer.signals.sources.contract import SourceProblem
    from rebalancer.signals.sources.one_question import ask_once

    setup = load_setup(config)
    if keeps and not setup.rules.model.enabled:
        raise BadDocument("--keep", "nothing trades on the model's votes", "set model: {enabled: true} first")
    asked = _symbols(symbols) if symbols is not None else sorted(symbols_now(setup).symbols)
    if not asked:
        raise BadDocument("model score", "no symbol is held, planned or in signals.universe", "model score AAPL,MSFT")
    signals = asked_signals(setup)
    try:
        with connected(setup) as connection:
            keys: Mapping[str, str] = keys_now(setup)
            if setup.mode == "simulated":
                keys = {**keys, **embedded_keys(connection.endpoints.data_url)}
            with closing(connection.connect(setup.rules.broker)) as broker:
                now = broker.clock().now  # the embedded exchange's day may be another one than this machine's
            found = ask_once(signals, setup.state, "model", asked, keys, SystemClock(), now=now, keeps=keeps)
    except SourceProblem as error:
        return _unusable(error)
    print_votes("model", found, as_json=as_json)
    return ExitCode.DONE


def show_card(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """The card of the configured model; 78 when it cannot be used, with the reason."""
    from rebalancer.core.new_york import day_in_new_york
    from rebalancer.ops.clock import SystemClock
    from rebalancer.session.setup import load_setup
    from rebalancer.signals.model.files import read_card, usable_card
    from rebalancer.signals.model.paths import model_files
    from rebalancer.signals.sources.contract import SourceNotReady

    setup = load_setup(config)
    files, rules = model_files(setup.rules.model, setup.root, setup.state), setup.rules.model
    try:
        _print(read_card(files), as_json=as_json)
        usable_card(files, day_in_new_york(SystemClock().wall()), rules.max_age_days)
    except SourceNotReady as error:
        return _unusable(error)
    return ExitCode.DONE


def _prices(setup: Setup, options: TrainOptions) -> PriceHistory:
    from rebalancer.research.price_files import read_prices

    wanted = None if options.symbols is None else _symbols(options.symbols)
    if options.prices is None:
        return _of_broker(setup, wanted, options.years)
    history = read_prices(options.prices)
    warn(history.warnings)
    if wanted is None:
        return history
    market = history.market
    missing = [name for name in wanted if name not in market.symbols]
    if missing:
        raise BadDocument("--symbols", f"{', '.join(missing[:5])} is not in {history.place}", "correct the symbol")
    places = [market.symbols.index(name) for name in wanted]
    kept = market._replace(symbols=tuple(wanted), close=market.close[:, places], open=None, volume=None, vwap=None)
    return history._replace(market=kept)


def _of_broker(setup: Setup, wanted: Sequence[str] | None, years: float) -> PriceHistory:
    """The broker's daily closes of these symbols, else of `signals.universe`, else of the sectors file."""
    from rebalancer.cli.at_broker import read_only
    from rebalancer.market_data.sectors import read_sectors
    from rebalancer.research.recorded_prices import prices_of_closes

    names = wanted or setup.rules.signals.universe or sorted(read_sectors(setup.root / setup.rules.sectors_file))
    with read_only(setup) as broker:
        known = {one.symbol for one in broker.instruments() if one.asset_class == "us_equity"}
        unknown = [name for name in wanted or () if name not in known]
        if unknown:
            raise BadDocument("--symbols", f"the broker does not know {', '.join(unknown[:5])}", "correct the symbol")
        closes = broker.daily_closes([name for name in names if name in known], math.ceil(years * DAYS_OF_YEAR))
    return prices_of_closes(closes, "the broker" if setup.mode != "simulated" else "the embedded exchange")


def _symbols(text: str) -> list[str]:
    from rebalancer.core.values import symbol_of

    try:
        return sorted({symbol_of(name) for name in text.split(",")})
    except ValueError as error:
        raise BadDocument("symbols", str(error), "write them as AAPL,BRK.B") from None


def _unusable(error: SourceProblem) -> int:
    hint = f"\n  hint: {error.hint}" if error.hint else ""
    from rebalancer.signals.sources.contract import SourceNotReady

    return said(f"{error}{hint}", ExitCode.CONFIG if isinstance(error, SourceNotReady) else ExitCode.UNAVAILABLE)


def _print(card: ModelCard, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(card.document(), indent=1) + "\n")
        return
    from rebalancer.cli.model_card import card_lines

    sys.stdout.write("\n".join(card_lines(card, terminal_width())) + "\n")
