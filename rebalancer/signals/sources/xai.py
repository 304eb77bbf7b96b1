"""xAI: a model that searches posts on X. `POST /v1/responses` with the tool `x_search`, never stored there.

A call takes 24 to 45 seconds and more. Its cost is not in the answer, so `usd_per_call` is counted. The name of the
model changes every month or so and is configuration; `doctor` says when the vendor does not list it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from rebalancer.signals.sources.contract import SourceBudget, SourceContext, Votes
from rebalancer.signals.sources.model_answers import INSTRUCTIONS, SCHEMA, SCHEMA_NAME, question, votes_of
from rebalancer.signals.sources.responses import model_text
from rebalancer.signals.sources.vendor_key import bearer, vendor_http, vendor_key

URL: Final = "https://api.x.ai"
KEY: Final = "XAI_API_KEY"
DAYS: Final = 2
TOKENS_MAX: Final = 4000


class Xai:
    """Ten names a call."""

    batch_size = 10

    def __init__(self, context: SourceContext) -> None:
        self._context = context

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        http = vendor_http(self._context, budget, URL, KEY, bearer(vendor_key(self._context, KEY)))
        first = (now - timedelta(days=DAYS)).date().isoformat()
        body = {
            "model": self._context.rules.model,
            "input": [
                {"role": "system", "content": INSTRUCTIONS},
                {"role": "user", "content": question(symbols, now)},
            ],
            "tools": [{"type": "x_search", "from_date": first, "to_date": now.date().isoformat()}],
            "max_output_tokens": TOKENS_MAX,
            "store": False,
            "text": {"format": {"type": "json_schema", "name": SCHEMA_NAME, "schema": SCHEMA, "strict": True}},
        }
        found = model_text(self._context.name, http.post("/v1/responses", body))
        return votes_of(found.text, symbols, found.read)

    def models(self, budget: SourceBudget) -> tuple[str, ...]:
        """The models that the key may use. Raises SourceProblem."""
        http = vendor_http(self._context, budget, URL, KEY, bearer(vendor_key(self._context, KEY)))
        body = http.get("/v1/models", {})
        rows = body.get("data") if isinstance(body, dict) else None
        return tuple(str(row["id"]) for row in rows or () if isinstance(row, dict) and "id" in row)
