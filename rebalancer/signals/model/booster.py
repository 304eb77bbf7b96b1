"""XGBoost, from the extra `model`. The only module that imports it.

Models are kept in XGBoost's JSON, never pickled. Bytes that are no model can end the whole process inside the library,
so only those whose hash is known are handed to it (`files`).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.core.extras import install_hint
from rebalancer.signals.model.features import Floats
from rebalancer.signals.sources.contract import SourceNotReady

HINT: Final = install_hint("model")


class BoosterSettings(NamedTuple):
    """How trees are grown. One thread and one seed: the same rows give the same bytes."""

    rounds: int = 200
    depth: int = 3
    learning_rate: float = 0.05
    subsample: float = 0.7
    leaf_weight_least: float = 20.0
    bins: int = 64
    seed: int = 0


def is_installed() -> bool:
    """Whether the extra is there. Loads nothing."""
    return find_spec("xgboost") is not None


def library_version() -> str:
    """The version of XGBoost. Raises SourceNotReady without the extra."""
    return str(_library().__version__)


def fit(features: Floats, labels: Floats, settings: BoosterSettings) -> bytes:
    """Train on rows of features with labels 0 and 1, and return the model as JSON."""
    library = _library()
    parameters = {
        "objective": "binary:logistic", "tree_method": "hist", "max_bin": settings.bins, "max_depth": settings.depth,
        "eta": settings.learning_rate, "subsample": settings.subsample, "min_child_weight": settings.leaf_weight_least,
        "seed": settings.seed, "nthread": 1, "verbosity": 0,
    }  # fmt: skip
    rows = library.DMatrix(features.astype(np.float32), label=labels.astype(np.float32), nthread=1)
    return bytes(library.train(parameters, rows, settings.rounds).save_raw("json"))


class Booster:
    """One model. `chances`: shape (rows,), the chance of label 1."""

    def __init__(self, raw: bytes) -> None:
        self._library = _library()
        self._booster: Any = self._library.Booster({"nthread": 1, "verbosity": 0})
        self._booster.load_model(bytearray(raw))

    def chances(self, features: Floats) -> Floats:
        """The chance of label 1 of each row."""
        rows = self._library.DMatrix(features.astype(np.float32), nthread=1)
        return np.asarray(self._booster.predict(rows), dtype=np.float64)


def _library() -> Any:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import xgboost
    except ImportError:
        raise SourceNotReady("model: the extra `model` is not installed", HINT) from None
    return xgboost
