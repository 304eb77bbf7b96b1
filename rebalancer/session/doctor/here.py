"""The checks that need no network: this machine, its folders, the configuration, the journal, the limits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from rebalancer.core.errors import JournalBroken
from rebalancer.core.units import amount_of
from rebalancer.execution.kill_switch import halt_reason
from rebalancer.journal import Journal
from rebalancer.journal.size import size_of
from rebalancer.ops.disk import fix_of, free_words
from rebalancer.session.doctor.channels import check_channels
from rebalancer.session.doctor.findings import CheckResult, fail, ok, warn
from rebalancer.session.doctor.growth import check_growth
from rebalancer.session.doctor.mirror import check_mirror
from rebalancer.session.doctor.sources import check_sources
from rebalancer.session.preflight import FREE_BYTES_MIN
from rebalancer.session.selftest import limit_selftest
from rebalancer.session.setup import Setup, banner
from rebalancer.settings.secrets.env_file import env_file_path

PACKAGES: Final = ("alpaca-py", "apscheduler", "jinja2", "pandas", "pandas-market-calendars", "pyyaml", "sqlalchemy")
TIMER: Final = "paper-trading-session.timer"
CONFIGURATION: Final = 78


def check_here(
    setup: Setup, run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
) -> Iterator[CheckResult]:
    """All checks of this machine, in the order in which problems should be fixed.

    run: runs an external program; the timer's state comes from systemctl.
    """
    yield _python()
    yield _packages()
    yield ok("environment", banner(setup))
    yield from _configuration(setup)
    yield from _folders(setup)
    yield from _journal(setup)
    yield _stopped(setup)
    yield _limits(setup)
    yield from _environment_file(setup.environ, setup.profile)
    yield from check_channels(setup)
    yield from check_sources(setup)
    yield from check_mirror(setup)
    yield _timer(run)


def _python() -> CheckResult:
    """Shown without a verdict: an older version could not have loaded this file."""
    return ok("Python", ".".join(map(str, sys.version_info[:3])))


def _packages() -> CheckResult:
    missing = []
    for name in PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return fail(
            "packages", f"missing: {', '.join(missing)}", "./run_execution_trading_now.sh --dry-run installs them"
        )
    return ok("packages", f"{len(PACKAGES)} found, alpaca-py {version('alpaca-py')}")


def _configuration(setup: Setup) -> Iterator[CheckResult]:
    """The file itself was read before: an unknown key ends the command with exit code 78."""
    for warning in setup.loaded.warnings:
        yield warn("configuration", warning, "see config/execution.yaml")
    sectors = setup.root / setup.rules.sectors_file
    if not sectors.is_file():
        yield warn("sectors", f"{sectors} is missing: every name counts as unknown", "rebalancer init writes one")
    yield ok("configuration", f"{setup.mode}, rules read, no unknown key")


def _folders(setup: Setup) -> Iterator[CheckResult]:
    for what, folder in (("state folder", setup.state), ("report folder", setup.reports)):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as probe:
                probe.write(b"x")
                probe.flush()
                os.fsync(probe.fileno())
        except OSError as error:
            found = f"{folder} cannot be written: {error.strerror}{free_words(folder)}"
            yield fail(what, found, fix_of(folder, error.errno), CONFIGURATION)
            continue
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES_MIN:
            found = f"{folder}: only {free / 1e6:,.0f} MB are free"
            yield fail(what, found, "make room before the next session", CONFIGURATION)
            continue
        loose = folder == setup.state and folder.stat().st_mode & 0o077
        if loose:
            yield warn(what, f"{folder} can be read by others", f"chmod 700 {folder}")
        else:
            yield ok(what, f"{folder}, {free / 1e9:,.1f} GB free")


def _journal(setup: Setup) -> Iterator[CheckResult]:
    if not setup.has_journal:
        yield ok("journal", "none yet")
        return
    try:
        with Journal.open(setup.journal) as journal:
            rows = journal.verify()
            newest = journal.cycles(None, 1)
            unresolved = journal.unresolved_orders(newest[0].account_id) if newest else ()
            latched = _latched(journal, newest[0].account_id) if newest else ()
            size = journal.size()
            with journal.store.asking() as ask:
                growth = size_of(ask, size)
    except JournalBroken as error:
        yield fail("journal", str(error).split("\n")[0], "restore the newest backup; trade nothing until then")
        return
    yield ok("journal", f"{amount_of(rows, 'row')}, hash chain intact")
    yield from check_growth(setup, growth)
    if unresolved:
        names = ", ".join(order.client_order_id for order in unresolved[:3])
        yield warn(
            "orders", f"{len(unresolved)} without a known end: {names}", "rebalancer run-now asks the broker again"
        )
    for name in latched:
        yield warn("limits", f"{name} is latched", "rebalancer resume --reason 'why' lifts it")


def _latched(journal: Journal, account_id: str) -> tuple[str, ...]:
    from rebalancer.accounting.loss_latches import standing

    still = standing(journal.recall(account_id, "latched"), journal.recall(account_id, "rearmed"))
    return tuple(event.key or "" for event in still)


def _stopped(setup: Setup) -> CheckResult:
    reason = halt_reason(setup.state)
    if reason is not None:
        return warn("kill switch", f"set: {reason}", "rebalancer resume --reason 'why'")
    return ok("kill switch", "not set")


def _limits(setup: Setup) -> CheckResult:
    """Every configured limit refuses a crafted order beyond it and lets a reduction pass."""
    checks = limit_selftest(setup.rules)
    broken = [check for check in checks if not check.holds]
    if broken:
        said = "; ".join(f"{check.limit}: {check.words}" for check in broken[:3])
        return fail(
            "limit self-test", f"{len(broken)} of {len(checks)} do not hold: {said}", "do not trade; report this"
        )
    return ok("limit self-test", f"{len(checks)} limits refuse what they should and let reductions pass")


def _environment_file(environ: Mapping[str, str], profile: str) -> Iterator[CheckResult]:
    """The file from which systemd reads keys: no other user may have read access."""
    path = env_file_path(environ, profile)
    if path is None or not path.exists():
        return
    mode = path.stat().st_mode & 0o777
    if path.is_symlink() or mode & 0o077 or path.stat().st_uid != os.geteuid():
        yield fail("secrets", f"{path} is accessible to others (mode {mode:o})", f"chmod 600 {path}", CONFIGURATION)
    else:
        yield ok("secrets", f"{path}, mode 600")


def _timer(run: Callable[..., subprocess.CompletedProcess[str]]) -> CheckResult:
    try:
        asked = run(
            ["systemctl", "--user", "show", TIMER, "--property=ActiveState,NextElapseUSecRealtime"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return warn("timer", "there is no systemd for this user", "./start_execution_trading.sh runs without it")
    properties = dict(line.partition("=")[::2] for line in asked.stdout.splitlines())
    if asked.returncode != 0 or properties.get("ActiveState") != "active":
        return warn("timer", "no session is scheduled", "./start_execution_trading.sh")
    return ok("timer", f"next {properties.get('NextElapseUSecRealtime') or 'elapse unknown'}")
