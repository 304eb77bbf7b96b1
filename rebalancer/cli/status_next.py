"""The part of `status` about the next cycle and the newest page: read from a few small files; no request is made."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rebalancer.cli.screen import shown_path
from rebalancer.ops.paths import home_directory, project_root
from rebalancer.ops.session_status import WAITING, SessionStatus, session_status
from rebalancer.report.paths import REPORT_NAME
from rebalancer.report.records import Mode, StatusView
from rebalancer.settings.profile import PROFILE

UNIT: Final = "paper-trading-session"
_DAY_PAGE: Final = re.compile(r"\d{4}-\d\d-\d\d_[a-z_]+_day", re.ASCII)


def with_next(view: StatusView, states: Mapping[Mode, Path]) -> StatusView:
    """The view with its next cycle: from the running session, else from the timer, else a hint how to start one."""
    told = {mode: found for mode, state in states.items() if (found := session_status(state)) is not None}
    alive = {mode: found for mode, found in told.items() if found.is_alive}
    if view.mode in alive:
        return _running(view, alive[view.mode])
    for mode, found in alive.items():
        return view._replace(next_hint=f"a session of {mode} trading runs, process {found.pid}")
    gone = told.get(view.mode)
    ended = "" if gone is None else f"the session of {gone.day} ended before its day was closed (process {gone.pid}); "
    timer = installed_timer()
    if timer:
        return view._replace(next_hint=f"{ended}{timer} is enabled; when: ./status_execution_trading.sh")
    start = "start a session with ./start_execution_trading.sh, or run one cycle with: rebalancer run-now"
    return view._replace(next_hint=f"{ended or 'no session runs, no timer is installed; '}{start}")


def installed_timer() -> str:
    """The name of this profile's enabled timer, "" when there is none. systemd itself is not queried: that takes too
    long."""
    profile = os.environ.get(PROFILE, "").strip()
    name = f"{UNIT}@{profile}.timer" if profile else f"{UNIT}.timer"
    base = os.environ.get("XDG_CONFIG_HOME", "")
    own = Path(base) if os.path.isabs(base) else home_directory() / ".config"
    folders = (own / "systemd" / "user", Path("/etc/systemd/user"), Path("/etc/systemd/system"))
    return name if any(os.path.lexists(folder / "timers.target.wants" / name) for folder in folders) else ""


def newest_report(mode: Mode, rules: Mapping[str, Any] | None) -> str:
    """The newest page of this mode, as the shortest path from here; "" when there is none.

    rules: those of the last plan, which name the folder; reading the configuration itself takes too long.
    """
    if rules is None:
        return ""
    root = project_root(Path.cwd()) or Path.cwd()
    folder = root / Path(rules["reporting"]["directory"]).expanduser() / os.environ.get(PROFILE, "").strip()
    try:
        years = sorted((year for year in folder.iterdir() if re.fullmatch(r"\d{4}", year.name)), reverse=True)
        for year in years:
            pages = [page for page in year.iterdir() if page.suffix == ".html" and _is_of(page.stem, mode)]
            if pages:
                return shown_path(max(pages, key=lambda page: (page.stem[:10], page.stat().st_mtime_ns)))
    except OSError:
        return ""
    return ""


def _is_of(name: str, mode: Mode) -> bool:
    return f"_{mode}_" in name and (REPORT_NAME.fullmatch(name) or _DAY_PAGE.fullmatch(name)) is not None


def _running(view: StatusView, told: SessionStatus) -> StatusView:
    doing = "" if told.doing.startswith(WAITING) else f": {told.doing}"
    hint = f"session runs, process {told.pid}{doing}"
    here = "" if told.next_at is None else here_text(told.next_at)
    return view._replace(next_at=told.next_at, next_here=here, next_hint=hint)


def here_text(moment: datetime) -> str:
    """The time of day by this machine's clock."""
    return f"{moment.astimezone():%H:%M}"
