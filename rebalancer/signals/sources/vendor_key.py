"""The key of a vendor that has one, and requests that carry it."""

from __future__ import annotations

from collections.abc import Mapping

from rebalancer.ops.logs.redact import learn
from rebalancer.signals.sources.contract import KeyRefused, SourceBudget, SourceContext
from rebalancer.signals.sources.vendor_http import VendorHttp


def vendor_key(context: SourceContext, variable: str) -> str:
    """The key, which no text of this process shows from now on. Raises KeyRefused when there is none."""
    key = context.keys.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        problem = f"{context.name}: {variable} is " + ("not a key" if key else "not set")
        raise KeyRefused(
            problem, f"set {variable} in the environment or in the file of keys (docs/how-to/environments.md)"
        )
    learn([key])
    return key


def vendor_http(
    context: SourceContext, budget: SourceBudget, url: str, variable: str, headers: Mapping[str, str]
) -> VendorHttp:
    """Requests to a vendor. url: its own address, which `base_url` replaces."""
    rules = context.rules
    return VendorHttp(
        context.name,
        rules.base_url or url,
        variable,
        rules.timeout_seconds,
        budget,
        context.clock,
        context.keep,
        headers,
    )


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {key}"}
