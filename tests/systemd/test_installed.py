"""A folder that `rebalancer init` has made beside an installed wheel: its scripts start and stop the session."""

from __future__ import annotations

from rebalancer.version import __version__
from tests.systemd.conftest import Box

INSTALL = """
    (cd $SOURCE && "$python" -m hatchling build -t wheel -d $HOME/dist) >/dev/null 2>&1
    "$BASE_PYTHON" -m venv --without-pip --symlinks $HOME/env
    "$python" -m pip --quiet --disable-pip-version-check --python $HOME/env/bin/python install --no-index --no-deps \
      $HOME/dist/*.whl
    echo /opt/environment/lib/python*/site-packages >$(echo $HOME/env/lib/python*/site-packages)/dependencies.pth
    rm -r $HOME/project
    cd $HOME
    env/bin/rebalancer init desk >/dev/null
    cd desk
"""


def test_a_folder_made_by_init_starts_and_stops_its_session(box: Box) -> None:
    said = box(f"""
        {INSTALL}
        # a day that is open, whatever the time is
        drop_in $unit.service '[Service]' 'ExecStart=' \
          "ExecStart=$(cat .interpreter) -m rebalancer session --speed 60 --day 2026-11-20"
        ./start_execution_trading.sh
        until_is $unit.service StatusText 'next cycle*'
        echo COMMAND $(sed -n 's/^ExecStart=//p' $HOME/.config/systemd/user/$unit.service)
        echo RUNS $(systemctl --user is-active $unit.service $unit.timer) \
          $(systemctl --user is-enabled rebalancer-drill.timer)
        ./status_execution_trading.sh
        ./stop_execution_trading.sh
        echo STOPPED $(systemctl --user is-active $unit.service $unit.timer) \
          $(systemctl --user is-enabled $unit.service $unit.timer rebalancer-drill.timer)
        systemctl --user show $unit.service -p Result -p ExecMainStatus -p NRestarts
        said $unit.service
        echo VERSION $($HOME/env/bin/rebalancer --version)
    """)
    lines = said.splitlines()
    home = "/run/sdbox/home"
    assert f"COMMAND {home}/env/bin/python -m rebalancer session" in lines
    assert "RUNS active active enabled" in lines
    assert "STOPPED inactive inactive disabled disabled disabled" in lines
    assert {"Result=success", "ExecMainStatus=0", "NRestarts=0"} <= set(lines)
    assert f"VERSION rebalancer {__version__}" in lines
    assert "session: the session is being stopped (SIGTERM)" in said
    assert "what is left open" in said
