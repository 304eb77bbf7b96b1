"""Say in plain words what the model found out of range, at the line where the value was set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from rebalancer.core.rules import Rules
from rebalancer.settings.kinds import every_key
from rebalancer.settings.origin import DEFAULT, Origin, Problem
from rebalancer.settings.scalars import closest

_BOUNDS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
}
_WORDS_OR_NUMBERS = {tuple(key.split(".")) for key, kind in every_key() if kind.name == "word_or_whole"}


def problems_of(error: ValidationError, origins: Mapping[str, Origin], *, alone: bool) -> list[Problem]:
    """The model's findings as problems.

    alone: whether there are no others. If there are, values are missing that could not be read, and what the model
    says about combinations of values would be about defaults that nobody chose; it is left out.
    """
    found = []
    for item in error.errors(include_url=False):
        place = tuple(str(part) for part in item["loc"])
        if item["type"] == "value_error" and not alone:
            continue
        if place[:-1] in _WORDS_OR_NUMBERS:  # the last part says which of both it is not: the nearer one is told
            place = place[:-1]
            if (item["type"] == "literal_error") is not isinstance(item["input"], str):
                continue
        problem, hint = _words(item["type"], item.get("ctx", {}), item["input"], item["msg"], place)
        found.append(Problem(_origin(place, problem, origins), ".".join(place), problem, hint))
    return found


def _words(kind: str, context: Mapping[str, Any], given: object, message: str, place: Sequence[str]) -> tuple[str, str]:
    about = _description(place)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = context[name]
        if bound == 1 and isinstance(given, float) and 1 < given <= 100:
            about = f"fractions, not percent: {given:g} % is {given / 100:.6g}" + (f" ({about})" if about else "")
        return f"{given} {words} {bound}", about
    if kind == "literal_error":
        choices = str(context["expected"])
        meant = closest(str(given), choices.replace("'", "").replace(" or ", ", ").split(", "))
        number = ", or a whole number" if tuple(place) in _WORDS_OR_NUMBERS else ""
        return f"{str(given)[:40]!r} must be {choices}{number}", f"did you mean {meant!r}?" if meant else about
    return message.removeprefix("Value error, "), about


def _description(place: Sequence[str]) -> str:
    model: type[BaseModel] = Rules
    for part in place:
        field = model.model_fields.get(part)
        if field is None:
            return ""
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return field.description or ""
        model = field.annotation
    return ""


def _origin(place: Sequence[str], problem: str, origins: Mapping[str, Origin]) -> Origin:
    """Where the value was set; for a finding about a whole section, where a key that the finding names was set."""
    key = ".".join(place)
    if key in origins:
        return origins[key]
    below = {name.rpartition(".")[2]: origin for name, origin in origins.items() if name.startswith(f"{key}.")}
    named = [origin for name, origin in below.items() if name in problem]
    return next(iter(named or below.values()), DEFAULT)
