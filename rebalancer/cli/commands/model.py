"""The commands of the optional model: `model train`, `score`, `card`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rebalancer.cli.commands.shared import Config, Json
from rebalancer.cli.help import Commands

model_app = Commands(
    help="The optional model, one more source of signals (extra `model`).\n\n"
    "Example: rebalancer model train | rebalancer model score AAPL,MSFT | rebalancer model card",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@model_app.command("train")
def train(
    prices: Annotated[
        Path | None, typer.Option("--prices", help="Daily closes: CSV, Parquet, JSON, a folder; without: the broker's.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(help="With commas. Without: all of the file, or the universe of the configuration.")
    ] = None,
    years: Annotated[float, typer.Option(min=1, max=30, help="Of the broker's closes.")] = 5.0,
    horizon: Annotated[int, typer.Option(min=1, max=63, help="Trading days that the label looks ahead.")] = 5,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Parts of the validation.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, max=5000, help="Trees.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the rows that each tree sees.")] = 0,
    config: Config = None,
    json: Json = False,
) -> None:
    """Train the model, validate it on days that it had not seen, and write its two files.

    Example: rebalancer model train | rebalancer model train --prices closes.csv --horizon 10
    """
    from rebalancer.cli.model import TrainOptions, train_model

    options = TrainOptions(prices, symbols, years, horizon, folds, rounds, seed)
    raise typer.Exit(train_model(config, options, as_json=json))


@model_app.command("score")
def score(
    symbols: Annotated[str | None, typer.Argument(help="With commas. Without: all that the sources are asked.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Store the votes: the next cycle trades on them, as after a session's round.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Score symbols with the model now. Nothing trades on it without --keep.

    Example: rebalancer model score AAPL,MSFT
    """
    from rebalancer.cli.model import score_model

    raise typer.Exit(score_model(config, symbols, keeps=keep, as_json=json))


@model_app.command("card")
def card(config: Config = None, json: Json = False) -> None:
    """Show what the model was trained on, how it did on days that it had not seen, and whether it can be used.

    Example: rebalancer model card
    """
    from rebalancer.cli.model import show_card

    raise typer.Exit(show_card(config, as_json=json))
