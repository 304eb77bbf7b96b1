"""Names in the rules that must exist: a limit for a sector that does not exist would limit nothing."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.market_data.sectors import read_sectors
from rebalancer.planning.groups import UNKNOWN
from rebalancer.session.setup import Setup
from rebalancer.settings.origin import DEFAULT


def meant(word: str, known: Collection[str]) -> str:
    """A hint at the name that was probably meant; else the list of known names."""
    folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), list(folded), 1, 0.5)
    begun = [name for low, name in folded.items() if low.startswith(word.casefold())] if word else []
    if begun or near:
        return f"did you mean {begun[0] if begun else folded[near[0]]!r}?"
    listed = ", ".join(sorted(known)[:12])
    return f"there are: {listed}" if known else "there is none"


def strange_sectors(rules: Rules, known: Iterable[str]) -> dict[str, str]:
    """The names in sector_limits that are not sectors, each with a hint."""
    there = {*known}
    names = rules.risk_management.sector_limits
    return {name: meant(name, there) for name in names if name not in there and name != UNKNOWN}


def refuse_strange_sectors(setup: Setup) -> None:
    """Raise BadDocument for a limit of a sector that no symbol belongs to, with the line where it stands."""
    if not setup.rules.risk_management.sector_limits:
        return
    path = setup.root / setup.rules.sectors_file
    found = strange_sectors(setup.rules, {row.sector for row in read_sectors(path).values()})
    for name, hint in found.items():
        key = f"risk_management.sector_limits.{name}"
        origin = setup.loaded.origins.get(key, DEFAULT)
        raise BadDocument(f"{origin}: {key}", f"no name in {path} has the sector {name!r}, so it limits nothing", hint)


def selection_words(rules: Rules, known: Collection[str]) -> list[str]:
    """The effect of `selection` in a cycle that knows these symbols: unknown names, and cash kept out of all targets
    for a withdrawal."""
    chosen, said = rules.selection, []
    for option, names in (("only", chosen.only or ()), ("exclude", chosen.exclude)):
        for name in names:
            if name not in known:
                said.append(f"{option} {name}: no such symbol here, so it does nothing; {meant(name, known)}")
    if chosen.withdraw:
        said.append(f"cash: {chosen.withdraw:,.2f} USD are kept out of all targets, to leave the account")
    return said
