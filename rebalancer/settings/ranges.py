"""Turn the model's validation errors into plain messages with the line where each value was set."""

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
    """The model's validation errors as problems.

    alone: whether there are no other problems. Otherwise some values could not be read, and errors about combinations
    of values are omitted, since they might concern defaults that the user did not choose. An error of one value that
    brings its own hint (`BadSchedule`) is kept.
    """
    found = []
    for item in error.errors(include_url=False):
        place = tuple(str(part) for part in item["loc"])
        hint = getattr(item.get("ctx", {}).get("error"), "hint", "")
        if item["type"] == "value_error" and not alone and not hint:
            continue
        if place[:-1] in _WORDS_OR_NUMBERS:  # a union: the last part names the alternative; report only the nearer one
            place = place[:-1]
            if (item["type"] == "literal_error") is not isinstance(item["input"], str):
                continue
        problem, about = _words(item["type"], item.get("ctx", {}), item["input"], item["msg"], place)
        found.append(Problem(_origin(place, problem, origins), ".".join(place), problem, hint or about))
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
    """Where the value was set; for an error about a whole section, where a key named in the error was set."""
    key = ".".join(place)
    if key in origins:
        return origins[key]
    below = {name.rpartition(".")[2]: origin for name, origin in origins.items() if name.startswith(f"{key}.")}
    named = [origin for name, origin in below.items() if name in problem]
    return next(iter(named or below.values()), DEFAULT)
