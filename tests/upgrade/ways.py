"""The two ways: forward, drain - swap - resume in the middle of a day; and back, by the copy that the upgrade took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from tests.upgrade.programs import SLOTS, THIS, Desk, Done, Program

DRAINED_AFTER: Final = 3  # slots
BEGUN: Final = {"COMPLETED", "HOLDING"}
CYCLES: Final = ("history", "--json", "--limit", "100")
READS: Final = (
    ("db", "check"), ("status",), CYCLES, ("explain", "KO"), ("explain", "KO", "--cycle", SLOTS[0]),
    ("report", "--day", SLOTS[0][:10]), ("performance",), ("positions",), ("orders",), ("signals", "list"), ("doctor",),
    ("export", "fills"),
)  # fmt: skip


def drained(desk: Desk, old: Program, *, after: int = DRAINED_AFTER, kill: bool = False) -> list[str]:
    """Play the first slots of the day with the old program. What went wrong."""
    done = desk.session_until(old, after, kill=kill)
    return _unless(done, -9 if kill else 0) + (
        [] if len(desk.ends()) < len(SLOTS) else ["the old program played the whole day"]
    )


def forward(
    desk: Desk, new: Program = THIS, *, kill: bool = False, reads: Sequence[tuple[str, ...]] = READS
) -> list[str]:
    """Carry the day on with the new program, to its end, and read everything. What went wrong."""
    before = desk.ends()
    old_cycles = {row[0] for row in desk.rows("SELECT cycle_id FROM events WHERE kind = 'cycle_ended'")}
    done = desk.session(new)
    wrong = _unless(done, 0)
    after = desk.ends()
    if [slot for slot, _, _ in after] != list(SLOTS):
        wrong.append(f"slots missed or doubled: {[slot for slot, _, _ in after]}")
    if after[: len(before)] != before:
        wrong.append(f"what had ended has changed: {before} to {after[: len(before)]}")
    odd = [(slot, outcome) for slot, outcome, _ in after if outcome not in BEGUN]
    if [outcome for _, outcome in odd] != (["ABANDONED"] if kill else []):
        wrong.append(f"slots without a whole cycle: {odd}")
    if {version for _, _, version in after[len(before) + kill :]} != {version_of(new)}:
        wrong.append(f"run by other versions: {after[len(before) :]}")
    if "the books agree with the broker" not in done.err:
        wrong.append(f"the books do not agree: {done.err[-600:]}")
    for words in reads:
        wrong += _unless(desk.run(new, *words), 0)
    replayed = desk.run(new, "replay", "--all")
    wrong += _unless(replayed, 0) + ([f"replay --all: {replayed.out[:600]}"] if replayed.out else [])
    listed = {row["cycle_id"] for row in json.loads(desk.run(new, *CYCLES).out)["cycles"]}
    if not old_cycles <= listed:
        wrong.append(f"history lacks {sorted(old_cycles - listed)}")
    if version_of(new) not in {version for _, _, version in before} and len(copies(desk)) != 1:
        wrong.append(f"copies from before the upgrade: {copies(desk)}")
    return wrong


def back(desk: Desk, old: Program, new: Program = THIS) -> list[str]:
    """The old program refuses what the new one wrote and changes nothing; with the copy from before the upgrade it goes
    on; and the new one goes on after that. What went wrong."""
    rows, orders = desk.newest_row(), desk.orders_at_the_broker()
    refused = desk.run(old, "run-now")
    wrong = []
    if refused.code == 0 or f"its newest cycle was run by rebalancer {version_of(new)}" not in refused.err:
        wrong.append(f"not refused: {refused}")
    if (desk.newest_row(), desk.orders_at_the_broker()) != (rows, orders):
        wrong.append("a refused run has written or sent something")
    (copy,) = copies(desk)
    wrong += _unless(desk.run(old, "db", "restore", f"{desk.state}/backups/{copy}", "--reason", "back"), 0)
    lost = desk.run(old, "run-now")
    if lost.code == 0 or "not in this journal" not in lost.out + lost.err or desk.orders_at_the_broker() != orders:
        wrong.append(f"orders of the newer program were not noticed: {lost}")
    wrong += _unless(desk.run(old, "resume", "--reason", "back"), 0)
    for program in (old, new):
        wrong += _unless(desk.run(program, "run-now"), 0)
        wrong += _unless(desk.run(program, "db", "check"), 0)
        replayed = desk.run(program, "replay", "--all")
        wrong += _unless(replayed, 0) + ([f"replay --all: {replayed.out[:600]}"] if replayed.out else [])
    if len(copies(desk)) != 2:
        wrong.append(f"copies from before the second upgrade: {copies(desk)}")
    return wrong


def copies(desk: Desk) -> list[str]:
    """The copies that upgrades took."""
    return sorted(path.name for path in (desk.state / "backups").glob("before-*.sqlite"))


def version_of(program: Program) -> str:
    text = (program.code / "rebalancer" / "version.py").read_text()
    return text.partition('__version__ = "')[2].partition('"')[0]


def _unless(done: Done, code: int) -> list[str]:
    if done.code == code and "Traceback" not in done.err:
        return []
    return [f"{' '.join(done.words)}: exit code {done.code} instead of {code}: {done.out[-600:]}{done.err[-600:]}"]
