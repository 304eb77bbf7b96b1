"""The service and the scripts under a real systemd of a user, in a box of its own. Without root or systemd: skipped."""

from __future__ import annotations

import json
import re

import pytest

from tests.systemd.conftest import SIMULATED_DAY, Box, last_json

ONCE = "'Restart=no' 'RestartSec=100ms'"


def test_the_timer_fires_the_service_and_a_whole_simulated_day_runs_through_it(box: Box) -> None:
    said = box(f"""
        drop_in $unit.service {SIMULATED_DAY}
        drop_in $unit.timer '[Timer]' 'OnCalendar=' 'OnActiveSec=2s'
        ./start_execution_trading.sh
        systemctl --user stop $unit.service  # the timer shall do it, and the whole day
        rm -rf "$state/simulated"
        systemctl --user restart $unit.timer
        until_is $unit.service SubState running
        until_is $unit.service StatusText 'next cycle*'
        ./status_execution_trading.sh
        until_is $unit.service ActiveState inactive
        systemctl --user show $unit.service -p Result -p NRestarts
        slots simulated
        journalctl --user -t rebalancer -o cat --no-pager
        journalctl --user -o json --no-pager CYCLE=2026-11-20T20:55Z EVENT=slot_ended | sed 's/^/FIELDS /'
        ls reports/latest.html
        echo DRILL $(systemctl --user is-enabled rebalancer-drill.timer)
        systemctl --user start rebalancer-drill.service
        systemctl --user show rebalancer-drill.service -p ExecMainStatus
        waits_for sh -c "journalctl --user -t rebalancer-drill -o cat --no-pager | grep 'restored for a try'"
        journalctl --user -t rebalancer-drill -o cat --no-pager
    """)
    assert "Result=success" in said
    assert "NRestarts=0" in said
    assert "DRILL enabled" in said
    (drilled,) = [line for line in said.splitlines() if "restored for a try" in line]
    assert re.search(r": \d+ rows intact, \d+ plans the same again", drilled)
    assert "ExecMainStatus=0" in said
    assert re.search(r"service  active   (next|running the) cycle", said)
    assert "session: the trading day 2026-11-20 is closed" in said
    assert "cycle 2026-11-20T20:55Z: HOLDING" in said
    assert "reports/latest.html" in said
    (line,) = [line for line in said.splitlines() if line.startswith("FIELDS")]
    fields = json.loads(line.removeprefix("FIELDS"))
    assert [fields[name] for name in ("CYCLE", "EVENT", "SYSLOG_IDENTIFIER", "PRIORITY", "_SYSTEMD_USER_UNIT")] == [
        "2026-11-20T20:55Z", "slot_ended", "rebalancer", "6", "paper-trading-session.service",
    ]  # fmt: skip
    assert fields["MESSAGE"].startswith("cycle 2026-11-20T20:55Z: HOLDING")
    found = last_json(said)
    assert (sum(found["ends"].values()), found["twice"]) == (78, 0)
    assert set(found["ends"]) == {"COMPLETED", "HOLDING"}


def test_the_scripts_are_idempotent_and_stop_turns_everything_off(box: Box) -> None:
    said = box("""
        ./start_execution_trading.sh
        echo =====
        ./start_execution_trading.sh
        echo =====
        ./status_execution_trading.sh
        ./stop_execution_trading.sh
        systemctl --user is-enabled $unit.timer $unit.service || true
        systemctl --user is-active $unit.timer $unit.service || true
        ./stop_execution_trading.sh
    """)
    first, second, rest = said.partition("what is left open")[0].split("=====\n")
    assert "units installed" in first or "units installed" in said
    assert "are up to date" in said
    assert "enable-linger box" in said
    assert re.search(r"timer: next start (Mon|Tue|Wed|Thu|Fri) \d{4}-", said)
    assert "timer    active" in second + rest
    assert rest.count("disabled\n") == 2 or said.count("disabled\n") == 2
    assert said.count("inactive\n") >= 1
    assert "what is left open" in said


def test_the_sandbox_denies_inside_the_unit_what_it_should(box: Box) -> None:
    said = box(
        """
        drop_in $unit.service '[Service]' 'Type=oneshot' 'Restart=no' 'WatchdogSec=0' 'ExecStart=' \
          "ExecStart=$python -m rebalancer.session.sandbox_probe"
        echo somebody else > /tmp/foreign
        ./start_execution_trading.sh
        for _ in $(seq 100); do said $unit.service | grep -q loopback && break; sleep 0.1; done
        said $unit.service
    """
    )
    lines = [line for line in said.splitlines() if line.startswith(("ok ", "WRONG"))]
    assert [line for line in lines if line.startswith("WRONG")] == []
    assert (sum("denied" in line for line in lines), sum("possible" in line for line in lines)) == (16, 3)


def test_a_session_that_hangs_is_killed_by_the_watchdog_and_an_alert_is_written(box: Box) -> None:
    said = box(f"""
        drop_in $unit.service {SIMULATED_DAY} {ONCE} WatchdogSec=20
        ./start_execution_trading.sh
        until_is $unit.service StatusText 'next cycle*'
        kill -STOP $(systemctl --user show $unit.service -p MainPID --value)
        until_is $unit.service ActiveState failed
        systemctl --user show $unit.service -p Result
        waits_for systemctl --user list-units --all --no-legend 'paper-trading-alert@*'
        for _ in $(seq 100); do slots simulated | grep -q unit_failed && break; sleep 0.1; done
        slots simulated
        journalctl --user -p crit -t rebalancer -o cat --no-pager
    """)
    assert "Result=watchdog" in said
    assert last_json(said)["alerts"]["unit_failed"] == 1
    assert "paper-trading-session.service has failed (watchdog" in said


def test_a_session_that_cannot_start_is_tried_three_times_and_alerts_once(box: Box) -> None:
    said = box(
        """
        drop_in $unit.service '[Service]' 'ExecStart=' 'ExecStart=/bin/false' 'RestartSec=100ms'
        ./start_execution_trading.sh
        until_is $unit.service ActiveState failed
        sleep 1
        systemctl --user show $unit.service -p NRestarts -p ActiveState
        journalctl --user -t rebalancer -o cat --no-pager
        journalctl --user -u $unit.service -o cat --no-pager | grep -c 'Main process exited' || true
    """
    )
    assert "ActiveState=failed" in said
    assert said.count("paper-trading-session.service has failed") == 1
    assert said.rstrip().splitlines()[-1] == "3" or "\n3\n" in said


def test_open_secrets_are_refused_before_anything_starts(box: Box) -> None:
    said = box("""
        echo 'APCA_API_KEY_ID=PKCANARY' > $HOME/.config/paper-trading.env
        chmod 644 $HOME/.config/paper-trading.env
        ./start_execution_trading.sh && exit 1
        chmod 600 $HOME/.config/paper-trading.env
        ln -s paper-trading.env $HOME/.config/other; mv $HOME/.config/paper-trading.env $HOME/.config/real
        ln -s real $HOME/.config/paper-trading.env
        ./start_execution_trading.sh && exit 1
        systemctl --user list-timers --no-pager --no-legend
        echo end
    """)
    assert "others may read it (mode 644)" in said
    assert "is a symbolic link" in said
    assert "chmod 600" in said
    assert "PKCANARY" not in said
    assert "paper-trading-session.timer" not in said


def test_a_stop_in_a_batch_sends_nothing_new_and_ends_cleanly(box: Box) -> None:
    said = box("""
        printf 'rules:\\n  - {kind: hang, booked: true, seconds: 2}\\n' > $STATE/faults.yaml
        PYTHONPATH=$project $python -m rebalancer exchange serve --port 8899 --state $STATE/exchange.sqlite \
          --start 2026-11-20T15:04:40Z --faults $STATE/faults.yaml > $STATE/exchange.log 2>&1 &
        exchange=$!
        waits_for grep -q listening $STATE/exchange.log
        umask 077
        printf '%s\\n' APCA_API_BASE_URL=http://127.0.0.1:8899 APCA_API_DATA_URL=http://127.0.0.1:8899 \
          APCA_API_KEY_ID=PKBOX APCA_API_SECRET_KEY=canary-secret REBALANCER__SIGNALS__SAMPLE=always \
          REBALANCER__BROKER__MAX_CONCURRENT_CALLS=1 REBALANCER__EXECUTION__PHASE_TIMEOUT_SECONDS=2 \
          > $HOME/.config/paper-trading.env
        ./start_execution_trading.sh
        waits_for has_intents paper
        sleep 0.5
        ./stop_execution_trading.sh
        systemctl --user show $unit.service -p Result -p ActiveState
        kill $exchange
        wait $exchange || true
        $python - <<'P'
import json, os, sqlite3
state = os.environ["HOME"] + "/.local/state/rebalancer/paper/journal.sqlite"
rows = sqlite3.connect(state).execute("SELECT kind, key, body FROM events ORDER BY seq").fetchall()
told = ("order_changed", "order_ended")
last = {key: json.loads(body)["state"] for kind, key, body in rows if kind in told}
posted = sqlite3.connect(os.environ["STATE"] + "/exchange.sqlite").execute(
    "SELECT count(*) FROM orders WHERE client_order_id LIKE 'rb-%'").fetchone()[0]
print("ENDS", json.dumps({"states": sorted(last.values()), "posted": posted,
      "open": sum(k == "cycle_started" for k, _, _ in rows) - sum(k == "cycle_ended" for k, _, _ in rows)}))
P
        said $unit.service
    """)
    (line,) = [line for line in said.splitlines() if line.startswith("ENDS")]
    found = json.loads(line.removeprefix("ENDS"))
    assert "Result=success" in said
    assert found["posted"] == 1
    assert found["states"].count("NOT_SENT") == len(found["states"]) - 1 > 2
    assert found["states"].count("FILLED") == 1
    assert found["open"] == 0
    assert "canary-secret" not in said


def test_a_newcomer_without_an_account_practises_and_is_told(box: Box) -> None:
    said = box("""
        unset REBALANCER_ENVIRONMENT
        systemctl --user unset-environment REBALANCER_ENVIRONMENT
        APCA_API_KEY_ID=PKCANARY ./start_execution_trading.sh && exit 1
        test ! -e $HOME/.config/paper-trading.env
        ./start_execution_trading.sh
        stat -c 'mode %a' $HOME/.config/paper-trading.env
        waits_for sh -c "journalctl --user -u $unit.service -o cat --no-pager | grep -q 'session: simulated'"
        ./stop_execution_trading.sh
        systemctl --user show $unit.service -p Result
        ./start_execution_trading.sh --profile=weights  # practising is no account whose keys it could take
        ./status_execution_trading.sh --profile weights
        ./stop_execution_trading.sh --profile weights
        echo 'APCA_API_KEY_ID=' > $HOME/.config/paper-trading.env  # keys were meant, and there is none
        ./start_execution_trading.sh
        until_is $unit.service ActiveState failed
        systemctl --user show $unit.service -p ExecMainStatus
    """)
    assert "there are keys in this shell, but the service does not see them" in said
    assert "no account is configured: practising on the embedded exchange" in said
    assert "mode 600" in said
    assert "Result=success" in said
    assert "started: paper-trading-session@weights" in said
    assert "session: preparing" not in said
    assert "stopped: paper-trading-session@weights; the timer is off" in said
    assert "ExecMainStatus=78" in said
    assert "PKCANARY" not in said


def test_the_alert_of_a_profile_uses_its_own_rules_keys_and_journal(box: Box) -> None:
    said = box("""
        umask 077
        printf '%s\\n' 'import http.server' 'class Hook(http.server.BaseHTTPRequestHandler):' ' def do_POST(self):' \
          '  print("HOOK", self.path, flush=True)' '  self.rfile.read(int(self.headers["Content-Length"]))' \
          '  self.send_response(200)' '  self.send_header("Content-Length", "0")' '  self.end_headers()' \
          'http.server.HTTPServer(("127.0.0.1", 8898), Hook).serve_forever()' > $STATE/hook.py
        $python $STATE/hook.py > $STATE/hook.log 2>/dev/null &
        hook=$!
        echo REBALANCER_ALERT_WEBHOOK=http://127.0.0.1:8898/own > $HOME/.config/paper-trading@prop_firm.env
        echo REBALANCER_ALERT_WEBHOOK=http://127.0.0.1:8898/common > $HOME/.config/paper-trading.env
        PYTHONPATH=$project $python -m rebalancer --profile prop_firm run-now >/dev/null 2>&1 || true
        drop_in paper-trading-session@prop_firm.service '[Service]' 'ExecStart=' 'ExecStart=/bin/false' 'Restart=no'
        ./start_execution_trading.sh --profile prop_firm
        waits_for grep -q HOOK $STATE/hook.log
        cat $STATE/hook.log
        slots profiles/prop_firm/simulated
        kill $hook
    """)
    assert set(re.findall("HOOK (.*)", said)) == {"/own"}
    assert last_json(said)["alerts"]["unit_failed"] == 1


def test_without_systemd_the_session_runs_in_the_background(box: Box) -> None:
    said = box("""
        mkdir $HOME/bin
        printf '#!/bin/sh\\nexit 1\\n' > $HOME/bin/systemctl
        chmod +x $HOME/bin/systemctl
        export PATH=$HOME/bin:$PATH REBALANCER__SESSION__CRYPTO_AROUND_THE_CLOCK=true
        ./start_execution_trading.sh
        ./start_execution_trading.sh
        ./status_execution_trading.sh
        ./stop_execution_trading.sh
        ./status_execution_trading.sh
        ls -l $state/session.log | cut -c1-10
    """)
    assert "has no systemd for you" in said
    assert "already running in the background" in said
    assert "service  in the background, process" in said
    assert "stopped: the session, process" in said
    assert "service  not running" in said
    assert "-rw-------" in said


@pytest.mark.parametrize("has_systemd", [True, False], ids=["systemd", "background"])
def test_a_start_on_a_closed_day_says_when_the_next_session_opens(box: Box, has_systemd: bool) -> None:
    without = """
        mkdir $HOME/bin
        printf '#!/bin/sh\\nexit 1\\n' > $HOME/bin/systemctl
        chmod +x $HOME/bin/systemctl
        export PATH=$HOME/bin:$PATH
    """
    said = box(f"""
        exec 2>&1
        {"" if has_systemd else without}
        PYTHONPATH=$project $python -m rebalancer exchange serve --port 8899 --start 2026-11-26T15:00:00Z \\
          > $STATE/exchange.log 2>&1 &
        exchange=$!
        waits_for grep -q listening $STATE/exchange.log
        umask 077
        printf '%s\\n' APCA_API_BASE_URL=http://127.0.0.1:8899 APCA_API_DATA_URL=http://127.0.0.1:8899 \\
          APCA_API_KEY_ID=PKBOX APCA_API_SECRET_KEY=canary-secret > $HOME/.config/paper-trading.env
        ./start_execution_trading.sh
        echo "=== exit $?"
        ./status_execution_trading.sh
        kill $exchange
        wait $exchange || true
    """)
    started, _, status = said.partition("=== exit 0")
    closed = "the market is closed on 2026-11-26; the next session opens Fri 2026-11-27 09:30 ET"
    assert re.search(rf"^(session: )?{closed}$", said, re.MULTILINE)
    assert started
    if has_systemd:
        assert re.search(r"^service  inactive   the market is closed", status, re.MULTILINE)
        assert "no session runs" not in status
    else:
        assert "has no systemd for you, so there is no timer: start it again on the next trading day" in said
        assert "service  not running, no timer" in status
        assert "in the background" not in said


def test_status_never_says_that_a_session_runs_and_does_not_run(box: Box) -> None:
    said = box("""
        mkdir $HOME/bin
        printf '#!/bin/sh\\nexit 1\\n' > $HOME/bin/systemctl
        chmod +x $HOME/bin/systemctl
        export PATH=$HOME/bin:$PATH REBALANCER__SESSION__CRYPTO_AROUND_THE_CLOCK=true
        ./start_execution_trading.sh
        ./status_execution_trading.sh
        ./stop_execution_trading.sh
    """)
    running = said.partition("stopped: the session")[0]
    process = re.findall(r"session runs, process (\d+)", running)
    assert process == re.findall(r"service  in the background, process (\d+)", running)
    assert len(process) == 1
    assert "no session runs" not in running
