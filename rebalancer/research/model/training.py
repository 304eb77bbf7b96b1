"""`rebalancer model train`: prices to the two files of a model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rebalancer.research.model.calibration import calibrated
from rebalancer.research.model.samples import Samples, samples_of
from rebalancer.research.model.validation import validated
from rebalancer.research.price_files import PriceHistory
from rebalancer.signals.model import booster
from rebalancer.signals.model.booster import BoosterSettings
from rebalancer.signals.model.features import NAMES, features_hash
from rebalancer.signals.model.files import SCHEMA, ModelCard, ModelData, bytes_hash, sealed


class TrainedFiles(NamedTuple):
    """A trained model and what describes it."""

    raw: bytes
    card: ModelCard


def train(history: PriceHistory, settings: BoosterSettings, horizon: int, folds: int) -> TrainedFiles:
    """Validate over time, then train on every row. Equal prices and settings give equal bytes. Raises BadDocument for
    prices that do not do, and SourceNotReady without the extra."""
    library = booster.library_version()
    samples = samples_of(history, horizon)
    validation, unseen = validated(samples, settings, folds)
    raw = booster.fit(samples.features, samples.label, settings)
    card = ModelCard(
        schema_name=SCHEMA,
        version="",
        model_sha256=bytes_hash(raw),
        features=NAMES,
        features_hash=features_hash(),
        horizon_days=horizon,
        data=_data(history.place, samples),
        settings=settings,
        library=f"xgboost {library}",
        validation=validation,
        calibration=calibrated(samples, unseen),
    )
    return TrainedFiles(raw, sealed(card))


def _data(place: str, samples: Samples) -> ModelData:
    used = np.unique(samples.name)
    return ModelData(
        place=place,
        first=samples.days[0],
        last=samples.days[-1],
        days=len(samples.days),
        symbols=tuple(samples.symbols[int(i)] for i in used),
        rows=len(samples.bar),
        sha256=samples.sha256,
    )
