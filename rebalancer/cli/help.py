"""Help with the examples first: the text after `Example:` in a command's docstring, one per line, split at ` | `; then
what the command takes, and the options that every command takes."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from rebalancer.cli.options import COMMON

OTHER_NAMES: Final = {"api": "web"}
TAKES: Final = {"path": "FILE", "str": "TEXT", "int": "N", "float": "NUMBER"}


class ExamplesFirst(TyperCommand):
    """A command whose help begins with examples."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line."""
        return [_argument(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """Write the examples, then what the command does."""
        _write(self.help, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with one line that names it, and the exit code of shells."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo(f"stopped by Ctrl-C: {ctx.command_path} has not finished", err=True)
            raise typer.Exit(128 + signal.SIGINT) from None

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write what it takes."""
        _write_options(self, ctx, formatter)


class GroupExamplesFirst(TyperGroup):
    """A group whose help begins with examples. A command may have a second name, which the help does not list."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name."""
        return super().get_command(ctx, OTHER_NAMES.get(cmd_name, cmd_name))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is the library's
        """Write the examples, then what the group is for."""
        _write(self.help, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, each with its whole first sentence, then the options."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(command.help)) for name, command in found if not command.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
        _write_options(self, ctx, formatter)


class Commands(typer.Typer):
    """A group whose commands show their examples first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"cls": GroupExamplesFirst, **options})

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Register a command."""
        return super().command(name, **{"cls": ExamplesFirst, **options})


def value_word(record: str) -> str:
    """An option as the help writes it, with what it takes: "--to <path>" is "--to FILE", and the choices of a closed
    list stand as they are."""

    def word(found: re.Match[str]) -> str:
        kind = re.sub(r"^list\[(.*)\]$", r"\1", found[1]).removesuffix(" range").lower()
        return TAKES.get(kind, kind)

    return re.sub(r"<([^>]+)>", word, record)


def _argument(piece: str) -> str:
    """An argument in capitals; one that is required stands without brackets."""
    return re.sub(r"^\{(.*)\}$", r"\1", piece).upper()


def _first_sentence(said: str | None) -> str:
    text = " ".join((said or "").partition("Example: ")[0].split())
    return re.split(r"(?<=\.) ", text, maxsplit=1)[0]


def _write(said: str | None, formatter: Any) -> None:
    text, _, examples = (said or "").partition("Example: ")
    if examples:
        with formatter.section("Examples"):
            for example in examples.split(" | "):
                formatter.write(f"  {example.strip()}\n")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(text.strip())


def _write_options(command: Any, context: Any, formatter: Any) -> None:
    arguments, options = [], []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            arguments.append((_argument(record[0].partition(" ")[0]), record[1]))
        else:
            options.append((value_word(record[0]), record[1]))
    for title, rows in (("Arguments", arguments), ("Options", options), ("With every command", list(COMMON.items()))):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
