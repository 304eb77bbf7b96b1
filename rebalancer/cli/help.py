"""Help with the examples first: the text after `Example:` in a command's docstring, one per line, split at ` | `."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

OTHER_NAMES: Final = {"api": "web"}


class ExamplesFirst(TyperCommand):
    """A command whose help begins with examples."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """Write the examples, then what the command does."""
        _write(self.help, formatter)


class GroupExamplesFirst(TyperGroup):
    """A group whose help begins with examples. A command may have a second name, which the help does not list."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name."""
        return super().get_command(ctx, OTHER_NAMES.get(cmd_name, cmd_name))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """Write the examples, then what the group is for."""
        _write(self.help, formatter)


class Commands(typer.Typer):
    """A group whose commands show their examples first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"cls": GroupExamplesFirst, **options})

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Register a command."""
        return super().command(name, **{"cls": ExamplesFirst, **options})


def _write(said: str | None, formatter: Any) -> None:
    text, _, examples = (said or "").partition("Example: ")
    if examples:
        with formatter.section("Examples"):
            for example in examples.split(" | "):
                formatter.write(f"  {example.strip()}\n")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(text.strip())
