"""Perplexity: a model that searches the web. The Agent API, or Sonar with `api: sonar`.

`model` is a preset (fast, low, medium, high, xhigh) or `provider/name`; for Sonar one of its models, and a preset
stands for the Sonar model that was like it. The answer says what it cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rebalancer.signals.sources.contract import SourceBudget, SourceContext, SourceUnavailable, VendorRefused, Votes
from rebalancer.signals.sources.model_answers import INSTRUCTIONS, SCHEMA, SCHEMA_NAME, question, votes_of
from rebalancer.signals.sources.responses import ModelText, model_text
from rebalancer.signals.sources.vendor_http import VendorHttp
from rebalancer.signals.sources.vendor_key import bearer, vendor_http, vendor_key

URL: Final = "https://api.perplexity.ai"
KEY: Final = "PERPLEXITY_API_KEY"
TOKENS_MAX: Final = 4000
RECENCY: Final = "week"
PRESETS: Final = ("fast", "low", "medium", "high", "xhigh")
SONAR: Final = {"fast": "sonar", "low": "sonar-pro", "medium": "sonar-reasoning-pro", "high": "sonar-deep-research"}


class Perplexity:
    """Ten names a call."""

    batch_size = 10

    def __init__(self, context: SourceContext) -> None:
        self._context = context

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        rules = self._context.rules
        http = vendor_http(self._context, budget, URL, KEY, bearer(vendor_key(self._context, KEY)))
        ask, read = (self._sonar, self._of_sonar) if rules.api == "sonar" else (self._agent, self._of_agent)
        body = ask(http, question(symbols, now))
        cost = cost_of(body)
        if cost is not None:  # before it is read: an answer of no use was paid for too
            budget.correct(cost - rules.usd_per_call)
        found = read(body)
        return votes_of(found.text, symbols, found.read)

    def _agent(self, http: VendorHttp, text: str) -> Any:
        model = self._context.rules.model or PRESETS[1]
        is_named = bool(model.partition("/")[1])  # provider/name
        if model not in PRESETS and not is_named:
            said = f"{self._context.name}: model {model[:40]!r} is neither a preset nor provider/name"
            raise VendorRefused(said, f"write one of {', '.join(PRESETS)}, or set api: sonar")
        return http.post(
            "/v1/agent",
            {
                ("model" if is_named else "preset"): model,
                "input": text,
                "instructions": INSTRUCTIONS,
                "max_output_tokens": TOKENS_MAX,
                "response_format": {"type": "json_schema", "json_schema": {"name": SCHEMA_NAME, "schema": SCHEMA}},
                "tools": [{"type": "web_search", "filters": {"search_recency_filter": RECENCY}}],
            },
        )

    def _of_agent(self, body: Any) -> ModelText:
        return model_text(self._context.name, body)

    def _sonar(self, http: VendorHttp, text: str) -> Any:
        model = self._context.rules.model or PRESETS[1]
        return http.post(
            "/chat/completions",
            {
                "model": SONAR.get(model, model),
                "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": text}],
                "max_tokens": TOKENS_MAX,
                "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
                "search_recency_filter": RECENCY,
            },
        )

    def _of_sonar(self, body: Any) -> ModelText:
        try:
            said = body["choices"][0]["message"]["content"]
            results = body.get("search_results") or ()
            read = [url for url in body.get("citations") or () if isinstance(url, str)]
            read += [row["url"] for row in results if isinstance(row.get("url"), str)]
        except (AttributeError, IndexError, KeyError, TypeError):
            raise SourceUnavailable(f"{self._context.name}: the answer cannot be read") from None
        if not isinstance(said, str):
            raise SourceUnavailable(f"{self._context.name}: the answer has no text")
        return ModelText(said, tuple(dict.fromkeys(read)))


def cost_of(body: Any) -> Decimal | None:
    """What an answer cost, USD; None when it does not say."""
    usage = body.get("usage") if isinstance(body, dict) else None
    cost = usage.get("cost") if isinstance(usage, dict) else None
    total = cost.get("total_cost") if isinstance(cost, dict) else None
    try:
        found = None if total is None or isinstance(total, bool) else Decimal(str(total))
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() and 0 <= found <= 1000 else None
