"""Every source by its name: those that are part of the program, and those of entry points.

A module is loaded when its source is made. A name that the program knows is never taken from an entry point.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import BadDocument, canonical_json, sha256
from rebalancer.core.signal_rules import SourceRules
from rebalancer.signals.sources.contract import ENTRY_POINTS, SourceFactory


class SourceEntry(NamedTuple):
    """One source: where its factory is, the variables that hold its keys, and its vendor for people. `is_local`: it is
    made every round, to look whether it can still be used."""

    factory: str
    keys: tuple[str, ...]
    vendor: str
    is_local: bool = False


ALPACA_KEYS: Final = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
_HERE: Final = "rebalancer.signals.sources"
BUILT_IN: Final[Mapping[str, SourceEntry]] = {
    "alpaca_bars": SourceEntry(f"{_HERE}.alpaca_bars:AlpacaBars", ALPACA_KEYS, "Alpaca, daily bars"),
    "alpaca_news": SourceEntry(f"{_HERE}.alpaca_news:AlpacaNews", ALPACA_KEYS, "Alpaca, news"),
    "massive": SourceEntry(f"{_HERE}.massive:Massive", ("MASSIVE_API_KEY",), "Massive"),
    "alpha_vantage": SourceEntry(f"{_HERE}.alpha_vantage:AlphaVantage", ("ALPHAVANTAGE_API_KEY",), "Alpha Vantage"),
    "xai": SourceEntry(f"{_HERE}.xai:Xai", ("XAI_API_KEY",), "xAI, search on X"),
    "perplexity": SourceEntry(f"{_HERE}.perplexity:Perplexity", ("PERPLEXITY_API_KEY",), "Perplexity, web search"),
    "model": SourceEntry(f"{_HERE}.trained_model:TrainedModel", ALPACA_KEYS, "your trained model", is_local=True),
}


def factory_of(name: str) -> SourceFactory:
    """What makes a source. Raises BadDocument for a name that nobody knows, or that cannot be loaded."""
    entry = BUILT_IN.get(name)
    if entry is not None:
        module, _, attribute = entry.factory.partition(":")
        found: SourceFactory = getattr(importlib.import_module(module), attribute)
        return found
    from importlib.metadata import entry_points

    places = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not places:
        raise BadDocument(
            f"signals.sources.{name}",
            "is no source of this program, and no installed package offers it",
            f"known: {', '.join(BUILT_IN)}; a package offers one by the entry point group {ENTRY_POINTS}",
        )
    try:
        loaded: SourceFactory = places[0].load()
    except Exception as error:  # noqa: BLE001 - it is not our code
        problem = f"cannot be loaded: {type(error).__name__}: {error}"
        raise BadDocument(f"signals.sources.{name}", problem, f"look at {places[0].value}") from None
    return loaded


def keys_of(name: str) -> tuple[str, ...]:
    """The variables that hold a source's keys; none for a source of somebody's own."""
    entry = BUILT_IN.get(name)
    return () if entry is None else entry.keys


def is_local(name: str) -> bool:
    """Whether a source is made every round."""
    entry = BUILT_IN.get(name)
    return entry is not None and entry.is_local


def mark_of(name: str, rules: SourceRules, keys: Mapping[str, str]) -> str:
    """What changes when a key or the configuration of a source changes; the key cannot be read out of it."""
    document: Any = [keys.get(key, "") for key in keys_of(name)]
    return sha256(canonical_json([name, document, rules.model_dump(mode="json")]))[:16]
