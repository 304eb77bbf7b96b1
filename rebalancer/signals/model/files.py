"""The two files of a model: XGBoost's own JSON, and what describes it: features, data, validation, calibration.

The description holds the hash of the model, and a version that is a hash of all of it: a file that was cut off, mixed
with another one or changed by hand is never used. Both are written whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from rebalancer.core.documents import BadDocument, canonical_json, plain, read_json, sha256
from rebalancer.ops.files import put_whole, read_settled_bytes
from rebalancer.signals.model.booster import BoosterSettings
from rebalancer.signals.model.features import NAMES, features_hash
from rebalancer.signals.model.opinion import Calibration
from rebalancer.signals.model.paths import ModelFiles
from rebalancer.signals.sources.contract import SourceNotReady

SCHEMA: Final = "rebalancer.model/1"
SIZE_MAX: Final = 64 * 1024 * 1024
AGAIN: Final = "train it again: rebalancer model train"


class ModelData(NamedTuple):
    """What a model was trained on. `last`: the newest day of the prices; `sha256`: of the closes that were used."""

    place: str
    first: date
    last: date
    days: int
    symbols: tuple[str, ...]
    rows: int
    sha256: str


class ValidationFold(NamedTuple):
    """One part of the validation: trained on days before, none of whose labels reaches into the days of the test."""

    trained_to: date
    labels_end: date
    trained_rows: int
    tested_from: date
    tested_to: date
    tested_rows: int
    rank_ic: float | None
    brier: float


class ModelValidation(NamedTuple):
    """How a model did on days that it had not seen. `rank_ic`: mean over days of the rank correlation of chance and
    result among the names of a day, with its standard error; None with fewer than five names. `brier`: mean squared
    error of the chance; one that always says 0.5 has 0.25."""

    folds: tuple[ValidationFold, ...]
    rows: int
    days: int
    rank_ic: float | None
    rank_ic_error: float | None
    hit_rate: float
    brier: float


class ModelCard(NamedTuple):
    """Everything about a model but its trees. `horizon_days`: the label is the move over so many days, from the close
    after the features' day, above or below the median of that day's names."""

    schema_name: str
    version: str
    model_sha256: str
    features: tuple[str, ...]
    features_hash: str
    horizon_days: int
    data: ModelData
    settings: BoosterSettings
    library: str
    validation: ModelValidation
    calibration: Calibration

    @property
    def revision(self) -> str:
        """Version and feature hash in short, as part of a signal's id."""
        return f"{self.version[:8]}.{self.features_hash[:8]}"

    def document(self) -> dict[str, Any]:
        """The card as plain JSON."""
        return _document(self)

    def written(self) -> bytes:
        """The text of the file."""
        return (json.dumps(self.document(), indent=1) + "\n").encode()


_CARD: Final = TypeAdapter(ModelCard)


def sealed(card: ModelCard) -> ModelCard:
    """The card with the version that its content has."""
    return card._replace(version=sha256(canonical_json(_document(card._replace(version=""))))[:16])


def write_model(files: ModelFiles, raw: bytes, card: ModelCard) -> None:
    """Write both files, the description last. Raises OSError."""
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    put_whole(files.model, raw)
    put_whole(files.features, card.written())


def read_card(files: ModelFiles) -> ModelCard:
    """The description of a model, whole. Raises SourceNotReady when it is missing or damaged."""
    text = _bytes_of(files.features, "features").decode("utf-8", "replace")
    try:
        body = read_json(text, str(files.features))
        if not isinstance(body, Mapping) or body.get("schema") != SCHEMA:
            raise SourceNotReady(f"model: {files.features} is no description of a model", AGAIN)
        fields = {"schema_name" if name == "schema" else name: value for name, value in body.items()}
        card = _CARD.validate_python(fields, strict=False)
    except (BadDocument, ValidationError, ValueError, TypeError):
        raise SourceNotReady(f"model: {files.features} is damaged", AGAIN) from None
    if sealed(card).version != card.version:
        raise SourceNotReady(f"model: {files.features} was changed since it was written", AGAIN)
    return card


def usable_card(files: ModelFiles, today: date, days_most: int | None) -> ModelCard:
    """The description of a model that may be used today, whose model is there and whole. days_most: how old its newest
    prices may be. Raises SourceNotReady: missing, damaged, trained on other features, stale."""
    return usable_model(files, today, days_most)[0]


def usable_model(files: ModelFiles, today: date, days_most: int | None) -> tuple[ModelCard, bytes]:
    """As `usable_card`, and the model's bytes, which are those that the description was written for."""
    card = read_card(files)
    raw = _bytes_of(files.model, "model")
    if bytes_hash(raw) != card.model_sha256:
        raise SourceNotReady(f"model: {files.model} is damaged, or another one than {files.features} describes", AGAIN)
    if card.features_hash != features_hash() or card.features != NAMES:
        said = f"model: it was trained on other features ({card.features_hash}) than this program's ({features_hash()})"
        raise SourceNotReady(said, AGAIN)
    if card.data.last >= today:
        raise SourceNotReady(f"model: it was trained on prices to {card.data.last}, which is not over", AGAIN)
    if days_most is not None and today - card.data.last > timedelta(days=days_most):
        said = f"model: its newest prices are of {card.data.last}, more than {days_most} days ago"
        raise SourceNotReady(said, f"{AGAIN}; or raise model.max_age_days")
    return card, raw


def bytes_hash(raw: bytes) -> str:
    """Hex SHA-256 of a file."""
    return hashlib.sha256(raw).hexdigest()


def _bytes_of(path: Path, what: str) -> bytes:
    try:
        return read_settled_bytes(path, SIZE_MAX).body
    except (BadDocument, OSError) as error:
        if not path.exists():
            raise SourceNotReady(f"model: {path} is not there", f"{AGAIN}; or correct model.{what}_path") from None
        raise SourceNotReady(f"model: {path} cannot be read: {error}".partition("\n")[0], AGAIN) from None


def _document(card: ModelCard) -> dict[str, Any]:
    found: dict[str, Any] = plain(card)
    return {"schema": found.pop("schema_name"), **found}
