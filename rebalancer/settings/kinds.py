"""The type expected at each key, derived from the model itself, so that new rules need no second list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from rebalancer.core.rules import Rules


class Kind(NamedTuple):
    """The kind of value at one key. `model` is set for a section, `item` for the values of a mapping or list."""

    name: Literal["section", "mapping", "list", "text", "flag", "whole", "number", "money", "word_or_whole"]
    nullable: bool = False
    model: type[BaseModel] | None = None
    item: Kind | None = None


@cache
def kinds_of(model: type[BaseModel]) -> Mapping[str, Kind]:
    """The kind of every key of a section."""
    return {name: kind_of(field.annotation) for name, field in model.model_fields.items()}


def kind_of(annotation: Any) -> Kind:
    """The kind for a type annotation. Raises TypeError for a type that a configuration cannot contain."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_of(arguments[0])
    if origin in (Union, UnionType):
        inner = [kind_of(a) for a in arguments if a is not NoneType]
        if [kind.name for kind in inner] == ["text", "whole"]:
            inner = [Kind("word_or_whole")]
        (only,) = inner
        return only._replace(nullable=NoneType in arguments)
    if origin is Literal:
        return Kind("text")
    if origin is dict:
        return Kind("mapping", item=kind_of(arguments[1]))
    if origin in (list, tuple):
        return Kind("list", item=kind_of(arguments[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Kind("section", model=annotation)
    if annotation is bool:  # before int, since bool is a subclass of it
        return Kind("flag")
    if annotation is int:
        return Kind("whole")
    if annotation is float:
        return Kind("number")
    if annotation is Decimal:
        return Kind("money")
    if annotation is str:
        return Kind("text")
    raise TypeError(f"no configuration can hold {annotation!r}")


def every_key(model: type[BaseModel] = Rules, parent: str = "") -> Iterator[tuple[str, Kind]]:
    """Every dotted key below a section, in the model's order; sections themselves are not listed."""
    for name, kind in kinds_of(model).items():
        dotted = f"{parent}.{name}".lstrip(".")
        if kind.model is not None:
            yield from every_key(kind.model, dotted)
        else:
            yield dotted, kind
