"""Where the two files of a model are."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.core.rules import Model

FOLDER: Final = "model"  # in the state folder


class ModelFiles(NamedTuple):
    """The two files of a model."""

    model: Path
    features: Path


def model_files(rules: Model, root: Path, state: Path) -> ModelFiles:
    """Where a model is: as configured, relative to `root`; else in the state folder, so that one trained on simulated
    prices is never used elsewhere."""
    return ModelFiles(
        root / rules.model_path if rules.model_path else state / FOLDER / "model.json",
        root / rules.features_path if rules.features_path else state / FOLDER / "features.json",
    )
