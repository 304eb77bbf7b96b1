"""Where the journals of all modes are, for commands that do not read the configuration: it is read only when one of its
files, or the environment, names a database."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rebalancer.journal.place import Place
from rebalancer.ops.paths import JOURNAL_NAME, state_directory
from rebalancer.report.records import Mode
from rebalancer.settings.journal_address import names_database


def journal_places() -> Mapping[Mode, Place]:
    """The journal of every mode in the usual state folder, whether it exists or not. Raises BadDocument for a
    configuration that names a database and cannot be read."""
    folder = state_directory()
    modes: tuple[Mode, ...] = ("simulated", "paper", "live")
    if names_database(os.environ):
        from rebalancer.session.setup import load_setup

        setup = load_setup(None)
        return {mode: setup.journal_of(mode, folder / mode) for mode in modes}
    return {mode: folder / mode / JOURNAL_NAME for mode in modes}
