"""Reading a YAML or JSON file of the exchange: safe, bounded, no key twice, and every mistake with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rebalancer.documents import BadDocument, key_text, line_of, read_text

Place = tuple[str | int, ...]
Where = Callable[[Place], str]
_SIZE_MAX: Final = 1024 * 1024


def read_yaml(path: Path, *, as_text: bool = False) -> tuple[Any, Where]:
    """The document, and a function that names file, line and key of a place in it. Raises BadDocument.

    With `as_text` every value is read as the text that stands there, so that dates and numbers keep their spelling.
    """
    import yaml

    text = read_text(path, _SIZE_MAX)
    try:
        _refuse_repeated(yaml.compose(text, Loader=yaml.SafeLoader), str(path), yaml)
        loader = yaml.BaseLoader if as_text else yaml.SafeLoader
        document = yaml.load(text, Loader=loader)  # noqa: S506 - both loaders make plain values only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise BadDocument(f"{path}:{line}", f"is not YAML: {getattr(error, 'problem', error)}") from None
    return document, lambda place: f"{path}:{line_of(text, place)}: {key_text(place)}"


def _refuse_repeated(node: Any, source: str, yaml: Any) -> None:
    """YAML keeps the last of two equal keys; we refuse them."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, yaml.SequenceNode):
            waiting += one.value
        elif isinstance(one, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in one.value:
                if str(key.value) in seen:
                    raise BadDocument(f"{source}:{key.start_mark.line + 1}: {key.value}", "stands twice")
                seen.add(str(key.value))
                waiting.append(value)
