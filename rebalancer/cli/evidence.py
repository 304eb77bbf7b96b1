"""`evidence`: write the signed file of a day, check one, print the key."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rebalancer.cli.errors import day_of
from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.export import write_whole
from rebalancer.core.documents import BadDocument
from rebalancer.core.input_file import read_content
from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal import Journal
from rebalancer.report.evidence.day_file import BYTES_MAX, SignedFile, differences, is_linked, read_file, write_day
from rebalancer.report.evidence.signature import private_key, public_text
from rebalancer.session.setup import Setup, load_setup


def write_file(config: Sequence[Path] | None, day: str | None, to: Path | None) -> int:
    """Write the file of a day; its path goes to stdout. Exit 2 when there is nothing of that day."""
    setup = load_setup(config)
    given = None if day is None else day_of("--day", day)
    if not setup.has_journal:
        return _nothing(f"nothing has been run yet in {setup.mode} mode", "rebalancer run-now")
    with Journal.open(setup.journal, create=False) as journal:
        latest = journal.latest_events(1)
        if not latest:
            return _nothing("the journal is empty", "rebalancer run-now")
        wanted = given or day_in_new_york(latest[0].at)
        path = write_day(journal, latest[0].account_id, wanted, setup.state)
    if path is None:
        return _nothing(f"the journal has nothing of {wanted}", "rebalancer history lists what there is")
    sys.stdout.write(f"{path}\n")
    if to is not None:
        write_whole(to, read_content(path, BYTES_MAX).body)
    return ExitCode.DONE


def verify_file(
    config: Sequence[Path] | None, file: Path, key: str | None, *, against_journal: bool, as_json: bool
) -> int:
    """Check a file and say what it states. Raises BadDocument when it was changed, when another key signed it or when
    no key is known, and when the journal states something else."""
    found = read_file(file)
    setup = load_setup(config) if key is None or against_journal else None
    _check_key(found, file, key if setup is None or key is not None else _own_key(setup))
    linked = is_linked(file, found.statement)
    if linked is False:
        hint = "one of the two was written again or replaced: ask for both, from the machine that wrote them"
        raise BadDocument(
            str(file), f"names another {found.statement['previous']['file']} than the one beside it", hint
        )
    if against_journal:
        assert setup is not None
        _check_journal(setup, found, file)
    stated = found.statement
    result = {
        "schema": "rebalancer.evidence-check/1",
        "file": str(file),
        "sha256": found.sha256,
        "day": stated["day"],
        "key": found.key,
        "previous": stated["previous"],
        "previous_is_here": linked,
        "cycles": len(stated["cycles"]),
        "orders": len(stated["orders"]),
        "journal": stated["journal"],
        "agrees_with_journal": True if against_journal else None,
    }
    if as_json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return ExitCode.DONE
    sys.stdout.write(
        f"unchanged: {stated['day']}, {result['cycles']} cycles, {result['orders']} orders\n"
        f"signed by  {found.key}\n"
        f"journal    rows {stated['journal']['first_row']} to {stated['journal']['last_row']}"
        f"{', and this journal states the same' if against_journal else ''}\n"
        f"{_day_before(stated['previous'], linked)}"
        f"sha256     {found.sha256}\n"
    )
    return ExitCode.DONE


def print_key(config: Sequence[Path] | None) -> int:
    """Print the public key; a new key is made when there is none."""
    key = private_key(load_setup(config).state, create=True)
    assert key is not None
    sys.stdout.write(f"{public_text(key)}\n")
    return ExitCode.DONE


def _day_before(named: dict[str, str] | None, linked: bool | None) -> str:
    if named is None:
        return "before     no earlier day\n"
    return f"before     {named['file']}, {'beside it and unchanged' if linked else 'not here to compare'}\n"


def _own_key(setup: Setup) -> str | None:
    own = private_key(setup.state, create=False)
    return None if own is None else public_text(own)


def _check_key(found: SignedFile, file: Path, known: str | None) -> None:
    if known is None:
        hint = f"ask who wrote it for `rebalancer evidence key`, then add --key; it names {found.key}"
        raise BadDocument(str(file), "is unchanged, but nobody says whose key signed it", hint)
    if found.key != known:
        raise BadDocument(str(file), f"is signed by another key: {found.key}", f"the one that was expected is {known}")


def _check_journal(setup: Setup, found: SignedFile, file: Path) -> None:
    if not setup.has_journal:
        raise BadDocument(str(file), f"there is no journal in {setup.state}", "run it where the journal is")
    with Journal.open(setup.journal, create=False) as journal:
        wrong = differences(journal, found.statement)
    if wrong:
        hint = "the journal was changed or is another one: rebalancer db check"
        raise BadDocument(str(file), f"the journal states something else: {', '.join(wrong)}", hint)


def _nothing(what: str, hint: str) -> int:
    sys.stderr.write(f"error: {what}\n  hint: {hint}\n")
    return ExitCode.USAGE
