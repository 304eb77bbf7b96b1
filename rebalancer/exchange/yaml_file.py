"""Reading a YAML or JSON file of the exchange: safe, bounded, no key twice, and every mistake with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from rebalancer.core.documents import BadDocument, is_whole_text, key_text
from rebalancer.core.input_file import read_text

Place = tuple[str | int, ...]
Where = Callable[[Place], str]
_SIZE_MAX: Final = 256 * 1024
_NESTED_MAX: Final = 50


def read_yaml(path: Path, *, as_text: bool = False) -> tuple[Any, Where]:
    """The document, and a function that names file, line and key of a place in it. Raises BadDocument.

    With `as_text` every value is read as the text that stands there, so that dates and numbers keep their spelling.
    """
    text = read_text(path, _SIZE_MAX)
    loader = None
    try:
        loader = (_Texts if as_text else _Values)(text)
        root = loader.get_single_node()
        _check(root, str(path))
        document = None if root is None else loader.construct_document(root)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise BadDocument(f"{path}:{line}", f"is not YAML: {error.reason}", "write it again as plain text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        problem = f"is not YAML: {getattr(error, 'problem', error)}"
        raise BadDocument(
            f"{path}:{line}", problem, "mind the indentation, and quote texts with marks in them"
        ) from None
    except ValueError as error:  # a value that looks like a day or a number and is none
        if isinstance(error, BadDocument):
            raise
        raise BadDocument(str(path), f"is not YAML: {error}", "quote the value") from None
    finally:
        if loader is not None:
            loader.dispose()
    return document, lambda place: f"{path}:{_line_in(root, place)}: {key_text(place)}"


class _Bounded:
    """What both readers refuse: aliases, of which a few lines can stand for more than any memory holds, and a depth
    that nobody means."""

    _depth = 0

    def compose_node(self: Any, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node with all below it."""
        event: Any = self.peek_event()
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not read here", mark)
        if self._depth > _NESTED_MAX:
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {_NESTED_MAX}", mark)
        self._depth += 1
        found: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[misc]
        self._depth -= 1
        return found


class _Values(_Bounded, yaml.SafeLoader):
    """PyYAML's safe loader."""


class _Texts(_Bounded, yaml.BaseLoader):
    """The one that reads every value as text."""


def _check(root: Any, source: str) -> None:
    """YAML keeps the last of two equal keys; we refuse them, and half characters."""
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, yaml.SequenceNode):
            waiting += one.value
        elif isinstance(one, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in one.value:
                if str(key.value) in seen:
                    where = f"{source}:{key.start_mark.line + 1}: {key.value}"
                    raise BadDocument(where, "appears twice", "keep one of them")
                seen.add(str(key.value))
                waiting += [key, value]
        elif isinstance(one, yaml.ScalarNode) and not is_whole_text(one.value):
            problem = "holds half a character (a lone surrogate)"
            raise BadDocument(f"{source}:{one.start_mark.line + 1}", problem, "write the character itself, in UTF-8")


def _line_in(root: Any, place: Place) -> int:
    """The line of a place, or of the last part of it that is there."""
    node, line = root, 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
