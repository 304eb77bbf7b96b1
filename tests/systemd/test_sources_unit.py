"""The process that asks the signal sources, as a unit beside the session: it starts, fails and ends by itself."""

from __future__ import annotations

from tests.systemd.conftest import SIMULATED_DAY, Box

ENABLED = """
    sed -i 's|^  sources: {}.*|  sources: {massive: {enabled: true}}|' config/execution.yaml
    sed -i 's|^  universe: .*|  universe: [AAPL]|' config/execution.yaml
    sources=rebalancer-sources.service
"""


def test_it_starts_beside_the_session_and_ends_when_no_source_is_enabled(box: Box) -> None:
    said = box(f"""
        {ENABLED}
        drop_in $unit.service {SIMULATED_DAY.replace("36000", "60")}
        ./start_execution_trading.sh
        until_is $sources ActiveState active
        until_is $unit.service ActiveState active
        ./status_execution_trading.sh | grep '^sources'
        state=$HOME/.local/state/rebalancer/simulated
        waits_for grep -q MASSIVE_API_KEY $state/sources.json
        echo HOLDER $(head -n 1 $state/sources.lock) $(systemctl --user show $sources -p MainPID --value)
        systemctl --user kill -s KILL $sources
        until_is $sources ActiveState activating
        echo SESSION $(systemctl --user show $unit.service -p ActiveState --value)
        sed -i 's|^  sources: .*|  sources: {{}}|' config/execution.yaml
        ./start_execution_trading.sh
        systemctl --user show $sources -p ActiveState -p UnitFileState
        ./stop_execution_trading.sh
    """)
    assert said.count("started: rebalancer-sources, massive") == 1
    assert "stopped: rebalancer-sources" in said
    (holder,) = [line.split()[1:] for line in said.splitlines() if line.startswith("HOLDER")]
    assert holder[0] == holder[1]
    assert "SESSION active" in said
    assert "sources  active   massive" in said
    assert "UnitFileState=disabled" in said
    assert "ActiveState=inactive" in said
