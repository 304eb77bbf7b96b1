"""The HTTP API as a unit beside the session: it starts, serves, fails and ends without touching it."""

from __future__ import annotations

import json

from tests.systemd.conftest import SIMULATED_DAY, Box, last_json

ENABLED = """
    sed -i '/^web:/,/^model:/ s/enabled: false/enabled: true/' config/execution.yaml
    ask() { $python -c "$asks" "$@"; }
    asks='import sys, urllib.request as u
bearer = {"Authorization": "Bearer " + sys.argv[2]}
request = u.Request("http://127.0.0.1:8787" + sys.argv[1], headers=bearer)
print(u.urlopen(request, timeout=20).read().decode())'
    token() { PYTHONPATH=$project $python -m rebalancer web token add box --scope read; }
    web=rebalancer-web.service
"""
SLOW_DAY = SIMULATED_DAY.replace("36000", "60")


def properties(said: str, *names: str) -> dict[str, str]:
    found = dict(line.split("=", 1) for line in said.splitlines() if line.partition("=")[0] in names)
    assert set(found) == set(names)
    return found


def test_it_starts_beside_the_session_and_ends_with_it(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        drop_in $unit.service {SLOW_DAY}
        ./start_execution_trading.sh
        ./start_execution_trading.sh
        until_is $unit.service ActiveState active
        ./status_execution_trading.sh | grep '^web'
        until_is $unit.service StatusText 'next cycle*'
        echo STATUS $(ask /health $(token))
        systemctl --user show $web -p Nice -p MemoryMax -p CPUWeight -p OOMScoreAdjust -p NRestarts
        for name in $unit.service $web; do
          for relation in After Before Requires Wants BindsTo PartOf Requisite; do
            systemctl --user show $name -p $relation --value | sed "s/^/RELATION $name /"
          done
        done
        ./stop_execution_trading.sh
        systemctl --user show $web -p Result -p ActiveState -p UnitFileState
        journalctl --user -u $web -o cat --no-pager | grep -c 'HTTP API' || true
    """)
    assert said.count("started: rebalancer-web, http://127.0.0.1:8787 (simulated)") == 2
    assert "web      active   http://127.0.0.1:8787 (simulated)" in said
    (line,) = [line.removeprefix("STATUS ") for line in said.splitlines() if line.startswith("STATUS")]
    health = json.loads(line)
    assert (health["status"], health["mode"], "doing" in health["session"]) == ("ok", "simulated", True)
    assert properties(said, "Nice", "MemoryMax", "CPUWeight", "OOMScoreAdjust", "NRestarts") == {
        "Nice": "10", "MemoryMax": str(1024**3), "CPUWeight": "20", "OOMScoreAdjust": "500", "NRestarts": "0",
    }  # fmt: skip
    relations = [line.split() for line in said.splitlines() if line.startswith("RELATION")]
    assert len(relations) > 4
    for _, name, *others in relations:
        other = "rebalancer-web" if name.startswith("paper") else "paper-trading-session"
        assert not [found for found in others if found.startswith(other)]
    assert properties(said, "Result", "ActiveState", "UnitFileState") == {
        "Result": "success", "ActiveState": "inactive", "UnitFileState": "disabled",
    }  # fmt: skip


def test_the_account_of_the_session_is_served_and_no_key_is_kept(box: Box) -> None:
    """The env file says which account it is; its keys are neither in the process's variables nor in its log."""
    said = box(f"""
        {ENABLED}
        umask 077
        printf '%s\\n' APCA_API_BASE_URL=http://127.0.0.1:9 APCA_API_KEY_ID=PKCANARY APCA_API_SECRET_KEY=canary-secret \
          > $HOME/.config/paper-trading.env
        ./start_execution_trading.sh
        until_is $web ActiveState active
        echo MODE $(PYTHONPATH=$project ask /health $(token))
        tr '\\0' '\\n' < /proc/$(systemctl --user show $web -p MainPID --value)/environ | grep -c canary || true
        said $web
        chmod 644 $HOME/.config/paper-trading.env
        systemctl --user restart $web || echo refused
        until_is $web ActiveState failed
        systemctl --user show $web -p ExecMainStatus
    """)
    assert '"mode":"paper"' in said
    assert "http://127.0.0.1:8787 (paper)" in said
    assert "\n0\n" in said
    assert "canary-secret" not in said
    assert "refused" in said
    assert properties(said, "ExecMainStatus") == {"ExecMainStatus": "78"}


def test_the_sandbox_of_the_api_denies_what_that_of_the_session_does(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        drop_in $web '[Service]' 'Type=oneshot' 'Restart=no' 'WatchdogSec=0' 'ExecStart=' \
          "ExecStart=$python -m rebalancer.session.sandbox_probe"
        echo somebody else > /tmp/foreign
        ./start_execution_trading.sh
        for _ in $(seq 100); do said $web | grep -q loopback && break; sleep 0.1; done
        said $web
    """)
    lines = [line for line in said.splitlines() if line.startswith(("ok ", "WRONG"))]
    assert [line for line in lines if line.startswith("WRONG")] == []
    assert (sum("denied" in line for line in lines), sum("possible" in line for line in lines)) == (16, 3)


def test_an_api_that_cannot_start_is_told_and_stops_no_trading(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        drop_in $unit.service {SIMULATED_DAY}
        $python -c 'import socket, time; s = socket.create_server(("127.0.0.1", 8787)); time.sleep(100)' &
        taken=$!
        ./start_execution_trading.sh
        echo started with $?
        systemctl --user show $web -p ExecMainStatus
        waits_for sh -c "journalctl --user -t rebalancer -o cat | grep -q 'rebalancer-web.service has failed'"
        kill $taken
        until_is $unit.service ActiveState inactive
        systemctl --user show $unit.service -p Result
        slots simulated
        journalctl --user -p crit -t rebalancer -o cat --no-pager
    """)
    assert "warning: the HTTP API did not start; trading goes on without it" in said
    assert "started with 0" in said
    assert properties(said, "ExecMainStatus", "Result") == {"ExecMainStatus": "78", "Result": "success"}
    assert "rebalancer-web.service has failed (exit-code, status 78); trading does not depend on it" in said
    found = last_json(said)
    assert (sum(found["ends"].values()), found["twice"]) == (78, 0)


def test_an_api_that_hangs_is_killed_and_started_again_while_the_session_goes_on(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        drop_in $unit.service {SLOW_DAY}
        drop_in $web '[Service]' 'WatchdogSec=8' 'RestartSec=100ms'
        ./start_execution_trading.sh
        until_is $unit.service StatusText 'next cycle*'
        kill -STOP $(systemctl --user show $web -p MainPID --value)
        until_is $web NRestarts 1
        until_is $web ActiveState active
        ask /health none || true
        systemctl --user show $unit.service -p ActiveState -p NRestarts
    """)
    assert properties(said, "ActiveState", "NRestarts") == {"ActiveState": "active", "NRestarts": "0"}


def test_it_ends_when_it_is_switched_off_in_the_rules(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        ./start_execution_trading.sh
        sed -i '/^web:/,/^model:/ s/enabled: true/enabled: false/' config/execution.yaml
        ./start_execution_trading.sh
        systemctl --user show $web -p ActiveState -p UnitFileState
        ./status_execution_trading.sh | grep -c '^web' || true
    """)
    assert "stopped: rebalancer-web" in said
    assert properties(said, "ActiveState", "UnitFileState") == {"ActiveState": "inactive", "UnitFileState": "disabled"}


def test_without_systemd_it_runs_in_the_background(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        mkdir $HOME/bin
        printf '#!/bin/sh\\nexit 1\\n' > $HOME/bin/systemctl
        chmod +x $HOME/bin/systemctl
        export PATH=$HOME/bin:$PATH REBALANCER__SESSION__CRYPTO_AROUND_THE_CLOCK=true
        ./start_execution_trading.sh
        ./start_execution_trading.sh
        ./status_execution_trading.sh | grep '^web'
        ask /health none 2>&1 | tail -1
        ./stop_execution_trading.sh
        ./status_execution_trading.sh | grep -c '^web' || true
    """)
    assert "the HTTP API runs in the background, process" in said
    assert "the HTTP API is already running in the background" in said
    assert "web      in the background, process" in said
    assert "401" in said
    assert "stopped: the HTTP API, process" in said
