"""The process that asks the sources, beside a real session: a vendor that hangs delays no cycle, and the process ends
with the session, also when that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import Journal
from rebalancer.ops.source_status import SourceStatus, source_status
from rebalancer.session.source_process import unit_is_enabled
from rebalancer.signals.sources.store import VoteStore
from tests.cli.conftest import ROOT, Command, command, project  # noqa: F401
from tests.session.test_year import expected_slots
from tests.signals.vendors import KEYS, Asked, Said, VendorServer

DAY = "2026-11-20"
MODEL = (
    '{"votes": [{"symbol": "AAPL", "score": 0.9, "confidence": 0.9, "reason": "r", "sources": ["https://a.example/"]}]}'
)
ANSWER = {
    "status": "completed",
    "output": [{"type": "message", "content": [
        {"type": "output_text", "text": MODEL, "annotations": [{"url": "https://a.example/"}]}]}],
}  # fmt: skip


def sources(project: Path, text: str) -> Path:  # noqa: F811
    """Add sources to the configuration."""
    path = project / "config" / "more.yaml"
    path.write_text(f"signals:\n  universe: [AAPL, MSFT]\n  sources:\n{text}")
    return path


def environ(**more: str) -> dict[str, str]:
    return os.environ | KEYS | {"PYTHONPATH": str(ROOT), "APCA_API_KEY_ID": "", "APCA_API_SECRET_KEY": ""} | more


def words(path: Path, *said: str) -> list[str]:
    return [sys.executable, "-m", "rebalancer", *said, "--config", "config/execution.yaml", "--config", str(path)]


def until(found: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def state_of(tmp_path: Path) -> Path:
    return tmp_path / "state" / "rebalancer" / "simulated"


def row(tmp_path: Path, name: str) -> SourceStatus | None:
    return next((one for one in source_status(state_of(tmp_path)) if one.name == name), None)


def test_a_vendor_that_hangs_delays_no_cycle_of_a_day(project: Path, tmp_path: Path) -> None:  # noqa: F811
    """One vendor never answers, another one does: every slot has its cycle, and the votes of the other are in it."""
    asked = threading.Event()

    def hangs(_: Asked) -> Said:
        asked.set()
        return Said(None, hangs=True)

    silent, good = VendorServer(hangs), VendorServer(lambda _: Said(ANSWER))
    with silent.running(), good.running():
        path = sources(
            project,
            f"    perplexity: {{enabled: true, base_url: '{silent.url}', timeout_seconds: 600}}\n"
            f"    xai: {{enabled: true, base_url: '{good.url}'}}\n",
        )
        first = subprocess.Popen(words(path, "sources", "run"), cwd=project, env=environ(), stderr=subprocess.PIPE)
        try:
            until(lambda: (found := row(tmp_path, "xai")) is not None and found.covered == 1)
            until(asked.is_set)
            done = subprocess.run(
                words(path, "session", "--speed", "36000", "--day", DAY), cwd=project, capture_output=True, text=True,
                env=environ(REBALANCER__PROTECTION__POLL_SECONDS="60"), timeout=600,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert first.poll() is None
        finally:
            first.terminate()
            _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert (len(silent.asked), len(good.asked) > 0) == (1, True)
    slots = {slot.id for slot in expected_slots(date.fromisoformat(DAY), date.fromisoformat(DAY))}
    with Journal.open(state_of(tmp_path) / "journal.sqlite") as kept:
        account = kept.cycles()[0].account_id
        ends = Counter(outcome for _, outcome, _ in kept.slots(account, list(slots)).values())
        newest = next(one for one in kept.cycles(account, 200) if one.plan_sha256 is not None)
        snapshot = kept.snapshot_text(newest.cycle_id)
    print(f"{sum(ends.values())} slots: {dict(ends)}")
    ran = {CycleOutcome.COMPLETED, CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED}
    assert sum(ends.values()) == len(slots) == 78
    assert set(ends) <= ran
    assert snapshot is not None
    assert '"source":"xai"' in snapshot


def test_without_a_unit_the_session_asks_and_both_end_together(project: Path, tmp_path: Path) -> None:  # noqa: F811
    server = VendorServer(lambda _: Said(ANSWER))
    with server.running():
        path = sources(project, f"    xai: {{enabled: true, base_url: '{server.url}'}}\n")
        session = subprocess.Popen(
            words(path, "session", "--speed", "1", "--day", DAY), cwd=project, env=environ(), stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: row(tmp_path, "xai") is not None)
            lock = (state_of(tmp_path) / "sources.lock").read_text().splitlines()
            child = int(lock[0])
            assert child != session.pid
            refused = subprocess.run(
                words(path, "sources", "run"), cwd=project, env=environ(), capture_output=True, text=True, timeout=120
            )
            assert (refused.returncode, f"held by process {child} (sources)" in refused.stderr) == (75, True)
            session.send_signal(signal.SIGKILL)
            session.wait()
            until(lambda: not alive(child))
        finally:
            session.kill()
            session.wait()
    with VoteStore.open(state_of(tmp_path) / "sources.sqlite") as store:
        assert [vote.symbol for vote in store.votes(["xai"])] == ["AAPL"]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_with_the_unit_the_session_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert [unit_is_enabled(""), unit_is_enabled("prop")] == [False, False]
    wanted = tmp_path / "systemd" / "user" / "default.target.wants"
    wanted.mkdir(parents=True)
    (wanted / "rebalancer-sources@prop.service").symlink_to("nowhere")
    assert [unit_is_enabled(""), unit_is_enabled("prop")] == [False, True]


LOADED = """
import sys
sys.argv = ["rebalancer", *{words!r}]
from rebalancer.cli.main import main
try:
    main()
except SystemExit as stop:
    code = stop.code
own = sorted(n for n in sys.modules if n.startswith("rebalancer.signals.sources.") or n.endswith("source_process"))
print("LOADED", code, [n.rpartition(".")[2] for n in own], "requests" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("status",), "LOADED 0 [] False"),
        (("config", "check"), "LOADED 0 ['readers'] False"),
        (("run-now", "--dry-run"), "LOADED 0 ['readers'] True"),
    ],
)
def test_nothing_of_it_is_loaded_when_no_source_is_enabled(
    said: tuple[str, ...],
    expected: str,
    project: Path,  # noqa: F811
) -> None:
    """`requests` is the broker's own, and `readers` reads files and the inbox as before."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(words=said)], cwd=project, env=environ(), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if line.startswith("LOADED")] == [expected], done.stderr


def test_a_session_without_sources_starts_no_process(project: Path, tmp_path: Path) -> None:  # noqa: F811
    code = LOADED.format(words=("session", "--speed", "100000", "--day", DAY))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=600,
        env=environ(REBALANCER__EXECUTION__INTERVAL_MINUTES="390", REBALANCER__PROTECTION__POLL_SECONDS="3600"),
    )  # fmt: skip
    assert "LOADED 0 ['readers'] True" in done.stderr
    assert [path.name for path in state_of(tmp_path).iterdir() if path.name.startswith("sources")] == []


def test_commands_say_what_is_wrong(command: Command, project: Path) -> None:  # noqa: F811
    refused = command("sources", "run")
    assert (refused.code, "no source is enabled" in refused.err) == (78, True)
    listed = command("sources", "list")
    assert listed.out.splitlines()[2] == "massive        off   needs MASSIVE_API_KEY"
    asked = command("sources", "test", "xai", "AAPL")
    assert (asked.code, "XAI_API_KEY is not set" in asked.err) == (69, True)
    unknown = command("sources", "test", "nobody", "AAPL")
    assert (unknown.code, "is no source of this program" in unknown.err) == (78, True)
    odd = command("sources", "test", "xai", "A B")
    assert odd.code == 2
    path = sources(project, "    nobody: {enabled: true}\n")
    doctor = command("doctor", "--offline", "--config", "config/execution.yaml", "--config", str(path))
    assert "source: nobody: is no source of this program" in doctor.out
    assert doctor.code == 78


def test_status_doctor_and_list_tell_the_same_of_a_refused_key(
    command: Command,  # noqa: F811
    project: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = {"code": "bad", "error": f"Incorrect API key provided: {KEYS['XAI_API_KEY']}"}
    server = VendorServer(lambda _: Said(refusal, 400))
    monkeypatch.setenv("XAI_API_KEY", KEYS["XAI_API_KEY"])
    with server.running():
        path = sources(project, f"    xai: {{enabled: true, base_url: '{server.url}'}}\n")
        process = subprocess.Popen(words(path, "sources", "run"), cwd=project, env=environ(), stderr=subprocess.PIPE)
        until(lambda: row(tmp_path, "xai") is not None)
        both = ("--config", "config/execution.yaml", "--config", str(path))
        ran = command("run-now", *both)
        assert ran.code in (0, 4), ran.err
        asked = (("status",), ("sources", "list", *both), ("doctor", "--offline", *both))
        texts = [command(*words).out for words in asked]
        process.terminate()
        _, err = process.communicate(timeout=60)
    said = "xai answered 400: bad Incorrect API key provided: [secret]"
    fix = "set XAI_API_KEY to a key that the vendor takes"
    for text in texts:
        assert said in " ".join(text.split())
        assert fix in " ".join(text.split())
    page = next((project / "reports").glob("*/*.html")).read_text()
    assert "Source off: xai" in page
    assert KEYS["XAI_API_KEY"] not in "".join([*texts, page, err.decode()])
    assert all(KEYS["XAI_API_KEY"].encode() not in file.read_bytes() for file in state_of(tmp_path).glob("sources*"))


def test_explain_says_what_a_vote_rests_on(command: Command, project: Path, tmp_path: Path) -> None:  # noqa: F811
    server = VendorServer(lambda _: Said(ANSWER))
    with server.running():
        path = sources(project, f"    xai: {{enabled: true, base_url: '{server.url}'}}\n")
        process = subprocess.Popen(words(path, "sources", "run"), cwd=project, env=environ(), stderr=subprocess.DEVNULL)
        until(lambda: (found := row(tmp_path, "xai")) is not None and found.covered == 1)
        process.terminate()
        process.wait(60)
    both = ("--config", "config/execution.yaml", "--config", str(path))
    assert command("run-now", *both).code in (0, 4)
    said = command("explain", "AAPL", *both)
    assert (said.code, "vote      xai: r https://a.example/" in said.out) == (0, True)
    chain = json.loads(command("explain", "AAPL", "--json", *both).out)
    (voted,) = [signal for signal in chain["signals"] if signal["source"] == "xai"]
    assert chain["rests_on"] == {voted["id"]: "r https://a.example/"}
    assert chain["source_weights"] == {"xai": 0.2}
