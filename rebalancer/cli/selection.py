"""The options that restrict one run: `--only`, `--exclude`, `--sell-only`, `--buy-only`, `--cash`, `--max-turnover`.
They set the rules of `selection` for this run, so the journal keeps them with its plan."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from rebalancer.core.documents import BadDocument

if TYPE_CHECKING:
    from rebalancer.core.rules import Rules
    from rebalancer.session.setup import Setup


class SelectionOptions(NamedTuple):
    """The options as typed; without any, the configuration's selection is unchanged."""

    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    sell_only: bool = False
    buy_only: bool = False
    cash: str | None = None
    max_turnover: str | None = None


def narrowed(setup: Setup, chosen: SelectionOptions) -> Setup:
    """The setup restricted by the options of one run. Raises BadDocument for invalid values."""
    return setup._replace(loaded=setup.loaded._replace(rules=narrowed_rules(setup.rules, chosen)))


def narrowed_rules(given: Rules, chosen: SelectionOptions) -> Rules:
    """The rules restricted by the options of one run. Excluded symbols add to those of the configuration; the other
    options replace it. Raises BadDocument for invalid values."""
    from pydantic import ValidationError

    from rebalancer.core.rules import Rules

    said = _section(chosen)
    if not said:
        return given
    rules = given.model_dump()
    rules["selection"]["exclude"] += said.pop("exclude", [])
    rules["selection"] |= said
    try:
        return Rules.model_validate(rules)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = {"max_turnover": "--max-turnover", "withdraw": "--cash", "exclude": "--exclude", "only": "--only"}
        raise BadDocument(
            option.get(str(first["loc"][1]), "selection"),
            str(first["msg"]).removeprefix("Value error, "),
            "such as --only AAPL,MSFT, --cash=-5000 or --max-turnover 10%",
        ) from None


def _section(chosen: SelectionOptions) -> dict[str, Any]:
    if chosen.sell_only and chosen.buy_only:
        raise BadDocument("--sell-only", "cannot be combined with --buy-only", "choose one of them")
    said: dict[str, Any] = {}
    if chosen.only:
        said["only"] = _names(chosen.only)
    if chosen.exclude:
        said["exclude"] = _names(chosen.exclude)
    if chosen.sell_only or chosen.buy_only:
        said["side"] = "sell" if chosen.sell_only else "buy"
    if chosen.cash is not None:
        said["withdraw"] = -_number("--cash", chosen.cash)
        if said["withdraw"] < 0:
            hint = "a deposit counts as soon as the broker shows it; only money that is to leave is announced"
            raise BadDocument("--cash", "must be negative", f"{hint}: --cash=-5000")
    if chosen.max_turnover is not None:
        text = chosen.max_turnover
        number = _number("--max-turnover", text.removesuffix("%"))
        said["max_turnover"] = number / 100 if text.endswith("%") else number
    return said


def _names(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.replace(",", " ").split()]


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text if text.isascii() and "_" not in text else "NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BadDocument(option, f"{text!r} is not a number", "such as --cash=-5000 or --max-turnover 10%")
    return number
