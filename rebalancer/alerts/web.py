"""One HTTP request to a secret address, with one overall deadline and no redirects, proxies or retries."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Final

from rebalancer.alerts.address import WebAddress
from rebalancer.alerts.channel import NotDelivered
from rebalancer.ops.clock import SystemClock
from rebalancer.version import __version__

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
TOTAL_SECONDS: Final = 15.0
USER_AGENT: Final = f"rebalancer/{__version__} (alerts)"


def ask(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> None:
    """Send one request; any 2xx is a success. Raises NotDelivered, which never quotes the address or the response."""
    import requests
    import urllib3

    from rebalancer.ops.deadline_session import Call, DeadlineSession

    monotonic = SystemClock().monotonic
    call = Call(monotonic() + TOTAL_SECONDS, CONNECT_SECONDS, READ_SECONDS, monotonic)
    session = DeadlineSession(monotonic)
    named = {"User-Agent": USER_AGENT, **headers}
    try:
        # stream: the response body is not read, only its status counts
        answer = session.within(call, lambda: session.request(method, url, data=body, headers=named, stream=True))
        status = answer.status_code
        answer.close()
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise NotDelivered(f"no answer ({_kind(error)})") from None
    finally:
        session.close()
    if 300 <= status < 400:
        raise NotDelivered(f"it answered {status}; redirects are not followed")
    if not 200 <= status < 300:
        raise NotDelivered(f"it answered {status}")


def knock(address: WebAddress) -> str:
    """Open a connection and send nothing. Raises NotDelivered."""
    try:
        with socket.create_connection((address.host, address.port), CONNECT_SECONDS) as plain:
            if not address.reveal().startswith("https"):
                return "connection established"
            with ssl.create_default_context().wrap_socket(plain, server_hostname=address.host):
                return "connection established, certificate valid"
    except OSError as error:
        raise NotDelivered(f"no connection ({_kind(error)})") from None


def _kind(error: Exception) -> str:
    """The kind of an error, without its text, which may contain the address."""
    return type(error).__name__
