"""`--state DIR`: read another state than the configured one, such as that of the demo or a copy from another
machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.core.documents import BadDocument
from rebalancer.ops.paths import JOURNAL_NAME

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup

MODES = ("simulated", "paper", "live")


def journal_in(state: Path) -> Path:
    """The journal of a state folder: of the folder itself, of the demo's, or of the mode that was written last. Raises
    BadDocument when there is none."""
    for folder in (state, state / "state"):
        if (folder / JOURNAL_NAME).is_file():
            return folder / JOURNAL_NAME
    found = [path for mode in MODES if (path := state / mode / JOURNAL_NAME).is_file()]
    if not found:
        hint = f"name a folder that holds a {JOURNAL_NAME}, such as ~/.local/state/rebalancer/demo"
        raise BadDocument(f"--state {state}", f"has no {JOURNAL_NAME}", hint)
    return max(found, key=lambda path: path.stat().st_mtime)


def setup_of(config: Sequence[Path] | None, state: Path | None) -> Setup:
    """The configured setup; with a state folder, the same for that folder. Its mode is that of its last cycle, and so
    are its rules when no configuration file is named. Raises BadDocument."""
    from rebalancer.core.codec import read_rules
    from rebalancer.journal import Journal
    from rebalancer.session.setup import Setup, load_setup

    if state is None:
        return load_setup(config)
    path = journal_in(state)
    configured = load_setup(config)
    with Journal.open(path, create=False) as journal:
        cycles = journal.cycles(None, 1000)
        mode = next((cycle.mode for cycle in cycles if cycle.mode in MODES), configured.mode)
        planned = next((cycle for cycle in cycles if cycle.plan_sha256 is not None), None)
        text = None if planned is None or config else journal.rules_text(planned.cycle_id, planned.account_id)
    loaded = configured.loaded
    if text is not None:
        loaded = loaded._replace(rules=read_rules(text))
    return Setup(configured.root, loaded, mode, path.parent, os.environ).with_file(mode, path.parent)
