"""`desk run` and `desk status`: accounts side by side, nothing summed across modes, no account hidden by a bad one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.cli.status import nothing_yet
from rebalancer.ops.paths import state_directory
from rebalancer.ops.run_lock import RunLock
from rebalancer.ops.session_status import SessionStatusFile
from rebalancer.report.accounts import AccountsOverview, overview_document, overview_page, overview_text, totals
from rebalancer.report.records import AccountRow
from rebalancer.session.account_sessions import AccountProcess
from rebalancer.session.process_table import LOCK, NAME, write_table
from tests.cli.conftest import ROOT, Command
from tests.support.postgres import shared_cluster

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
SECRETS = {"APCA_API_KEY_ID": "PKONE", "APCA_API_SECRET_KEY": "s"}


def profiles(project: Path, *names: str) -> None:
    folder = project / "config" / "profiles"
    folder.mkdir(exist_ok=True)
    (project / "config" / "desk.yaml").write_text(f"accounts: [{', '.join(names)}]\n")
    for name in names:
        (folder / f"{name}.yaml").write_text("position_sizing: {capital_scaling: 1.0}\n")


def env_file(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "config" / f"paper-trading@{name}.env"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)


def row(name: str, mode: str, environment: str, equity: str | None) -> AccountRow:
    worth = None if equity is None else Decimal(equity)
    view = nothing_yet(NOON)._replace(mode=mode, account_id=f"id-{name}", equity=worth)  # type: ignore[arg-type]
    return AccountRow(name, environment, "running", 7, None, None, view)


def test_accounts_side_by_side(command: Command, project: Path) -> None:
    said = command("desk", "status")
    assert (said.code, said.out) == (0, "no account: config/desk.yaml lists them, accounts: [NAME, ...]\n")
    none = command("desk", "run")
    assert (none.code, none.err.startswith("error: config/desk.yaml: lists no account\n  hint: ")) == (78, True)
    (project / "config" / "desk.yaml").write_text("accounts: growth\n")
    assert command("desk", "status").code == 78
    profiles(project, "growth", "income")
    assert command("--profile", "growth", "run-now").code == 0
    os.environ.pop("REBALANCER_PROFILE")
    status = json.loads(command("--profile", "growth", "status", "--json").out)
    os.environ.pop("REBALANCER_PROFILE")
    told = json.loads(command("desk", "status", "--json").out)
    assert (told["schema"], [one["name"] for one in told["accounts"]]) == ("rebalancer.desk/1", ["growth", "income"])
    growth, income = told["accounts"]
    assert growth["status"]["figures"] == status["figures"], "the figures of `status`, computed once"
    assert (growth["process"], growth["environment"], income["status"]) == ("off", "development", None)
    assert told["totals"] == [
        {"mode": "simulated", "environment": "development", "accounts": 1, "equity": status["equity"]}
    ]
    page = project / "accounts.html"
    assert command("desk", "status", "--page", str(page)).code == 0
    assert "growth" in page.read_text()

    journal = state_directory() / "profiles" / "growth" / "simulated" / "journal.sqlite"
    content = bytearray(journal.read_bytes())
    content[:100] = b"x" * 100
    journal.write_bytes(content)
    told = json.loads(command("desk", "status", "--json").out)
    assert "cannot be read" in told["accounts"][0]["needs"]
    assert (told["accounts"][1]["problem"], told["totals"]) == ("", [])


def test_what_cannot_be_run_is_refused_before_anything_starts(
    command: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles(project, "growth", "income")
    said = command("desk", "run", "growht")
    assert (said.code, "did you mean growth?" in said.err) == (78, True)
    text = "".join(f"{name}={value}\n" for name, value in SECRETS.items())
    env_file(tmp_path, "growth", text)
    env_file(tmp_path, "income", text)
    said = command("desk", "run")
    assert said.code == 78
    assert "account income: has the same key as growth" in said.err
    assert "PKONE" not in said.err
    env_file(tmp_path, "income", "")
    with RunLock(state_directory() / LOCK, "desk run"):
        assert command("desk", "run").code == 75
    monkeypatch.setenv("REBALANCER_PROFILE", "growth")
    assert command("desk", "status").code == 78


def test_a_real_one_runs_every_account_and_leaves_none_behind(project: Path, tmp_path: Path) -> None:
    """Two accounts, of which one has a configuration that is refused; then the desk is killed."""
    profiles(project, "good", "bad")
    (project / "config/profiles/bad.yaml").write_text("position_sizing: {capital_scaling: many}\n")
    (project / "config/profiles/good.yaml").write_text("session: {crypto_around_the_clock: true}\n")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "rebalancer", "desk", "run"]
    with subprocess.Popen(words, cwd=project, env=environ, stderr=subprocess.PIPE, text=True) as desk:
        try:
            until(lambda: lines_of(desk, "[good]", "session_began"), 1)
            until(lambda: [row for row in accounts() if (row["name"], row["state"]) == ("bad", "failed")], 1)
            stands = {row["name"]: row for row in accounts()}
        finally:
            desk.send_signal(signal.SIGKILL)
            desk.wait(60)
    assert (stands["bad"]["exit_code"], stands["good"]["state"], stands["good"]["starts"]) == (78, "running", 1)
    pid = int(stands["good"]["pid"])
    until(lambda: [] if Path(f"/proc/{pid}").exists() else [pid], 1)


def test_one_account_day_after_day_is_refused_before_anything_starts(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["--speed", "60"], ["--day", "2026-11-20"], ["--with-parent"]):
        assert command("session", "--every-day", *words).code == 2, words
    said = command("--live", "session", "--every-day")
    assert (said.code, "rebalancer arm-live --account LAST4 --hours 168" in said.err) == (78, True)
    with RunLock(state_directory() / LOCK, "sessions of every day"):
        assert command("session", "--every-day").code == 75
    monkeypatch.setenv("REBALANCER_ENVIRONMENT", "production")
    said = command("session", "--every-day")
    assert (said.code, "there is no key, and this is production" in said.err) == (78, True)


@pytest.mark.parametrize("words", [("--watch",), ("--state", ".")], ids=lambda words: words[0])
def test_a_status_that_cannot_ask_the_broker_refuses_to(command: Command, words: tuple[str, ...]) -> None:
    said = command("status", "--live", *words)
    assert (said.code, said.out) == (2, "")
    assert (
        said.err
        == f"error: {words[0]} goes with neither --live nor {'--json' if words == ('--watch',) else '--watch'}\n"
    )


def test_the_exit_code_of_the_status_is_that_of_a_health_check(command: Command, project: Path) -> None:
    for word in ("--live", "--watch", "--state=."):
        assert command("status", "--exit-code", word).code == 2, word
    nobody = "error: no session runs here, and nothing starts one\n"
    said = command("status", "--exit-code")
    assert (said.code, said.err) == (1, nobody)
    assert command("desk", "status", "--exit-code").code == 1, "no account: nothing was looked at"
    profiles(project, "growth", "income")
    said = command("desk", "status", "--exit-code")
    assert (said.code, said.err) == (
        1,
        "".join(nobody.replace("error: ", f"error: {name}: ") for name in ("growth", "income")),
    )
    since = datetime.now(UTC)
    growth = AccountProcess("growth", "running", 7, since, None, 1, None)
    income = AccountProcess("income", "failed", None, since, 78, 1, since)
    write_table(state_directory() / NAME, [growth, growth._replace(name="income")])
    said = command("desk", "status", "--exit-code")
    assert (said.code, said.err) == (0, "")
    write_table(state_directory() / NAME, [growth, income])
    said = command("desk", "status", "--exit-code")
    assert (said.code, said.err) == (1, "error: income: the last session ended with exit code 78\n")
    write_table(state_directory() / NAME, [growth._replace(name="")])
    assert command("status", "--exit-code").code == 0
    (state_directory() / NAME).unlink()
    running = SessionStatusFile(state_directory("paper"))
    running.tell(since.date(), None, "next cycle")
    assert command("status", "--exit-code").code == 0, "one that was started by hand or by systemd"


def accounts() -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads((state_directory() / NAME).read_text())["accounts"]
    except (OSError, ValueError):
        return []
    return found


def lines_of(process: subprocess.Popen[str], *words: str) -> list[str]:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line, "it ended"
    return [line] if all(word in line for word in words) else []


def until(found: Any, count: int) -> Any:
    """Wait until so many are found; the time allowed is that of a hang, not of a slow machine."""
    end = time.monotonic() + 300
    while len(seen := found()) < count:
        assert time.monotonic() < end, seen
        time.sleep(0.05)
    return seen


MODES = st.sampled_from(["simulated", "paper", "live"])
ROWS = st.lists(
    st.tuples(MODES, st.sampled_from(["development", "production"]), st.none() | st.decimals(0, 10**6, places=2)),
    max_size=8,
)


@given(ROWS)
def test_money_is_summed_within_one_mode_and_environment_alone(rows: list[tuple[str, str, Decimal | None]]) -> None:
    accounts = [
        row(f"a{number}", mode, where, None if worth is None else str(worth))
        for number, (mode, where, worth) in enumerate(rows)
    ]
    found = {(total.mode, total.environment): total for total in totals(accounts)}
    for (mode, where), total in found.items():
        worth = [one for m, w, one in rows if (m, w) == (mode, where)]
        assert total.accounts == len(worth)
        assert total.equity == (None if None in worth else sum(w for w in worth if w is not None))
    assert {(mode, where) for mode, where, _ in rows} == set(found)


class Cells(HTMLParser):
    """The texts of all cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts, self._open = list[str](), 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self.texts.append("")
            self._open = 1

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[-1] += data


def test_page_text_and_json_say_the_same() -> None:
    failed = row("evil<b>", "paper", "production", "5.5")._replace(process="failed", pid=None, exit_code=78)
    overview = AccountsOverview("host", NOON, (row("a", "live", "production", "100000"), failed))
    page, text = overview_page(overview), overview_text(overview, width=None, colour=False)
    document = overview_document(overview)
    assert "<b>" not in page
    need = "its session ended with exit code 78; see its log, then start the desk again"
    assert document["accounts"][1]["needs"] == need
    for written in (text, " ".join(Cells(page).texts)):
        for word in ("LIVE", "PAPER", "running, process 7", "needs you", need, "$100,000.00", "$5.50"):
            assert word in written, word
    assert "100,005" not in text + page


def test_an_account_whose_journal_is_in_a_database(command: Command, project: Path) -> None:
    profiles(project, "growth", "income")
    url = shared_cluster().database("desk_status")
    file = project / "config" / "profiles" / "growth.yaml"
    file.write_text(f"journal: {{url: '{url}'}}\n")
    assert command("--profile", "growth", "run-now").code == 0
    os.environ.pop("REBALANCER_PROFILE")
    growth, income = json.loads(command("desk", "status", "--json").out)["accounts"]
    assert (growth["status"]["mode"], growth["problem"], income["status"]) == ("simulated", "", None)
    assert growth["status"]["equity"] is not None
    file.write_text("journal: {url: 'postgresql://nobody@127.0.0.1:1/none'}\n")
    growth, income = json.loads(command("desk", "status", "--json").out)["accounts"]
    assert growth["status"] is None
    assert growth["problem"].startswith("its state cannot be read: postgresql://nobody@127.0.0.1:1/none (schema ")
