"""alpaca-py's own HTTP client, made safe for trading.

alpaca-py has no timeout, retries POSTs on 429 and 504, and reads numbers as floats. This module changes that from the
outside, by giving its client a `DeadlineSession` and taking its retries away.

Imports `requests` and alpaca-py's REST client, but neither its models nor pandas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alpaca.common.rest import RESTClient

from rebalancer.brokers.endpoints import Credentials
from rebalancer.core.errors import ExternalError
from rebalancer.ops.deadline_session import DeadlineSession

_PRIVATE: Final = ("_session", "_retry", "_retry_codes")


class AlpacaClient(RESTClient):
    """alpaca-py's REST client on a `DeadlineSession`. Not thread-safe."""

    def __init__(self, credentials: Credentials, base_url: str, monotonic: Callable[[], float]) -> None:
        """Open no connection yet. Raises ExternalError when this version of alpaca-py cannot be made to send a POST
        only once."""
        key, secret = credentials.reveal()
        super().__init__(base_url=base_url, api_key=key, secret_key=secret, api_version="v2", raw_data=True)
        missing = [name for name in _PRIVATE if not hasattr(self, name)]
        if missing:
            raise ExternalError(
                f"this version of alpaca-py has no {', '.join(missing)}, so its retries and timeouts cannot be set: "
                "install alpaca-py 0.44"
            )
        self._session.close()
        self.session = DeadlineSession(monotonic)
        self._session = self.session
        self._retry = 0
        self._retry_codes = []
