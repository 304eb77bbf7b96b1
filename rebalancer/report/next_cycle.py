"""When the next cycle is due while no session runs: from `execution.schedule` and the published calendar, in
milliseconds, for `status`.

The last plan's rules are stored with it. The configuration files are only searched for values that differ from them;
the YAML is read properly when there is one. The holidays are always those of the table, because the calendar library
takes longer to load than `status` may take.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_text
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.schedule import schedule_of
from rebalancer.market_data.hours_from_table import hours_from_table
from rebalancer.market_data.trading_calendar import CALENDAR_AHEAD, CALENDAR_BACK, next_slot
from rebalancer.ops.paths import config_directories, project_root
from rebalancer.settings.profile import PROFILE

DEFAULTS: Final = {
    "execution.schedule": "null",
    "execution.interval_minutes": "5",
    "execution.close_buffer_seconds": "60",
    "session.crypto_around_the_clock": "false",
}  # as text in YAML; a test compares them with the rules


def next_cycle(after: datetime, rules: Mapping[str, Any] | None) -> datetime | None:
    """The first slot after a moment; None when the schedule cannot be read or the calendar does not reach so far.

    rules: those of the last plan, as stored; None before the first.
    """
    try:
        values = _values(rules)
        schedule, minutes, buffer, around = (values[key] for key in DEFAULTS)
        text = None if schedule in ("null", "~") else schedule
        today = day_in_new_york(after)
        timing = schedule_of(text, int(minutes), float(buffer))
        hours = hours_from_table(today - CALENDAR_BACK, today + CALENDAR_AHEAD)
        found = next_slot(after, hours, timing, around_the_clock=around.lower() == "true")
    except (OSError, ValueError, BadDocument):
        return None
    return None if found is None else found.at


def _values(rules: Mapping[str, Any] | None) -> dict[str, str]:
    """The texts of the four keys: of the environment, else of the files, else of the last plan."""
    known = dict(DEFAULTS) if rules is None else {key: _stored(rules, key) for key in DEFAULTS}
    paths = _files()
    if paths:
        written = "\n".join(read_text(path) for path in paths)
        if any(_found(written, key) != {known[key]} for key in DEFAULTS):
            known = DEFAULTS | _read(paths)
    variables = {name.upper(): text.strip() for name, text in os.environ.items()}
    named = {key: variables.get(f"REBALANCER__{key.upper().replace('.', '__')}") for key in DEFAULTS}
    return known | {key: text for key, text in named.items() if text is not None}


def _stored(rules: Mapping[str, Any], key: str) -> str:
    section, _, name = key.partition(".")
    value = rules.get(section, {}).get(name)
    if value is None:
        return DEFAULTS[key]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _found(text: str, key: str) -> set[str]:
    """Every text that stands behind the last word of a key, as a person writes it; the default when there is none."""
    name = key.rpartition(".")[2]
    found = re.findall(rf"^(?:[^#\n]*[\s{{,])?{name}\s*:\s*([^#,}}\n]*)", text, re.MULTILINE)
    return {one.strip().strip("\"'") for one in found} or {DEFAULTS[key]}


def _files() -> list[Path]:
    """The configuration files that every command would read here."""
    root = project_root(Path.cwd())
    candidates = (folder / "execution.yaml" for folder in config_directories(root))
    first = next((path for path in candidates if path.is_file()), None)
    profile = os.environ.get(PROFILE, "").strip()
    own = (root or Path.cwd()) / "config" / "profiles" / f"{profile}.yaml"
    return [path for path in (first, own if profile else None) if path is not None]


def _read(paths: Sequence[Path]) -> dict[str, str]:
    """The keys that the files set, later ones winning."""
    from rebalancer.settings.document import Scalar, YamlTable, read_file

    found: dict[str, str] = {}
    for path in paths:
        for section in read_file(path, []).entries:
            for entry in section.value.entries if isinstance(section.value, YamlTable) else ():
                if f"{section.key}.{entry.key}" in DEFAULTS and isinstance(entry.value, Scalar):
                    found[f"{section.key}.{entry.key}"] = entry.value.text
    return found
