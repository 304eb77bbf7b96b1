"""alpaca-py's own HTTP client, made safe for trading.

alpaca-py has no timeout, retries POSTs on 429 and 504, and reads numbers as floats. This module changes that from the
outside, by giving its client a `DeadlineSession` and taking its retries away.

Imports `requests` and alpaca-py's REST client, but neither its models nor pandas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import requests
from alpaca.common.rest import RESTClient

from rebalancer.brokers.endpoints import Credentials
from rebalancer.core.errors import ExternalError
from rebalancer.ops.deadline_session import DeadlineSession

_PRIVATE: Final = ("_session", "_retry", "_retry_codes")
_PLAIN_URL: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?/[A-Za-z0-9/._:-]+")  # nothing in it needs quoting


class LeanSession(DeadlineSession):
    """A `DeadlineSession` that prepares reads once and then changes only their address, which costs a third of the time
    of a request. It neither keeps cookies nor follows redirects."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__(monotonic)
        self._kept: tuple[object, requests.PreparedRequest] | None = None

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As `requests` prepares it, byte for byte."""
        url, params = str(request.url), request.params or {}
        if request.method != "GET" or not isinstance(params, dict) or _PLAIN_URL.fullmatch(url) is None:
            return super().prepare_request(request)
        headers = dict(request.headers or {})
        if self._kept is None or self._kept[0] != headers:
            self._kept = (headers, super().prepare_request(requests.Request("GET", url, headers=headers)))
        prepared = self._kept[1].copy()
        query = urlencode(params, doseq=True)
        prepared.url = f"{url}?{query}" if query else url
        return prepared

    def merge_environment_settings(self, *_: Any) -> Any:
        """The same for every request: nothing comes from the environment."""
        return {"verify": self.verify, "proxies": {}, "stream": False, "cert": self.cert}

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send one request and read its whole answer. Raises as `requests` does."""
        adapter = self.get_adapter(url=request.url or "")
        response = adapter.send(request, timeout=kwargs["timeout"], verify=kwargs["verify"], cert=kwargs["cert"])
        response.content  # noqa: B018 - read here, within the deadline of the call
        return response


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
        self.session = LeanSession(monotonic)
        self._session = self.session
        self._retry = 0
        self._retry_codes = []
