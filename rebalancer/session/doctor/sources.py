"""The checks of the sources that are asked in the background: known, with a key, and not refused."""

from __future__ import annotations

from collections.abc import Iterator

from rebalancer.core.documents import BadDocument
from rebalancer.ops.source_status import current_sources
from rebalancer.report.sources import source_line
from rebalancer.session.doctor.findings import CheckResult, fail, ok, warn
from rebalancer.session.setup import Setup

WHAT = "source"


def check_sources(setup: Setup) -> Iterator[CheckResult]:
    """Every enabled source: whether it can be loaded, has its keys, and what its last round said. Makes no request."""
    enabled = setup.rules.signals.enabled_sources
    if not enabled:
        return
    from rebalancer.session.source_process import missing_keys
    from rebalancer.signals.sources.catalog import factory_of

    reported = {row.name: row for row in current_sources(setup.state)}
    for name in enabled:
        try:
            factory_of(name)
        except BadDocument as error:
            yield fail(WHAT, f"{name}: {error.problem}", error.hint, 78)
            continue
        missing = missing_keys(setup, name)
        row = reported.get(name)
        if missing:
            yield warn(
                WHAT, f"{name}: {', '.join(missing)} not set", f"write it to the file of keys, or disable {name}"
            )
        elif row is None:
            yield warn(WHAT, f"{name}: not asked yet", "./start_execution_trading.sh, or rebalancer sources run")
        elif row.is_ok:
            yield ok(WHAT, f"{name}: {source_line(row)}")
        else:
            yield warn(WHAT, f"{name}: {source_line(row)}", row.hint or f"rebalancer sources test {name} SPY")


def check_sources_there(setup: Setup) -> Iterator[CheckResult]:
    """Whether xAI lists the configured model, whose names change every month. The question costs nothing."""
    rules = setup.rules.signals.enabled_sources.get("xai")
    if rules is None or not setup.environ.get("XAI_API_KEY"):
        return
    from rebalancer.ops.clock import SystemClock
    from rebalancer.signals.sources.contract import SourceContext, SourceProblem
    from rebalancer.signals.sources.unlimited import Unlimited
    from rebalancer.signals.sources.xai import Xai

    context = SourceContext("xai", rules, setup.environ, SystemClock(), lambda _: None, lambda: True)
    try:
        models = Xai(context).models(Unlimited())
    except SourceProblem as error:
        yield warn(WHAT, str(error), error.hint or "look at the vendor's status page")
        return
    if rules.model in models:
        yield ok(WHAT, f"xai lists the model {rules.model}")
    else:
        known = ", ".join(models[:6]) or "none"
        yield warn(
            WHAT, f"xai does not list the model {rules.model!r}", f"set signals.sources.xai.model to one of: {known}"
        )
