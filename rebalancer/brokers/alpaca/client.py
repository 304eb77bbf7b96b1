"""Send requests to Alpaca: one client per thread, shared rate limits; reads are retried, orders never."""

from __future__ import annotations

import logging
import secrets
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from rebalancer.brokers.alpaca.answers import Answer, NoAnswer, silence_of, trouble_of, whole_of
from rebalancer.brokers.alpaca.rate_limit import WINDOW_SECONDS, Pacer
from rebalancer.brokers.broker_time import BrokerTime
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.request_metrics import RequestMetrics
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.rules import Broker as BrokerRules
from rebalancer.ops.logs.context import LogEvent, note

if TYPE_CHECKING:
    from rebalancer.brokers.alpaca.transport import AlpacaClient
    from rebalancer.ops.deadline_session import Call

LOG: Final = logging.getLogger("rebalancer.world.brokers.asking")
ATTEMPTS_MAX: Final = 6
PACING_SECONDS_MAX: Final = WINDOW_SECONDS + 1  # longer than a whole window, so every thread gets its turn
_BACKOFF_SECONDS_MIN: Final = 0.25
_BACKOFF_SECONDS_MAX: Final = 4.0

Service = Literal["trading", "data"]
Params = Mapping[str, str]


class Client:
    """HTTP access to the broker. Thread-safe."""

    def __init__(
        self,
        credentials: Credentials,
        endpoints: Endpoints,
        rules: BrokerRules,
        monotonic: Callable[[], float],
        wait: Callable[[float], object],
    ) -> None:
        self._credentials, self._endpoints, self._rules = credentials, endpoints, rules
        self._monotonic, self._wait = monotonic, wait
        self._local = threading.local()
        self._clients: weakref.WeakSet[AlpacaClient] = weakref.WeakSet()
        self._lock = threading.Lock()
        # Alpaca counts trading and market data requests separately.
        self._pacers = {service: Pacer(rules.requests_per_minute, monotonic, wait) for service in ("trading", "data")}
        self.time = BrokerTime(monotonic)
        self.traffic = RequestMetrics()

    def post_once(self, path: str, body: Mapping[str, object], allowed: Callable[[], bool] | None = None) -> Answer:
        """Send one POST, exactly once. Raises NoAnswer when no complete response arrived, and nothing else.

        allowed: called just before the first byte is sent, after all waiting; False withholds the request.
        """
        if not self._pacers["trading"].take(PACING_SECONDS_MAX):
            raise NoAnswer(False, "rate_limited", "no call was left within a minute, so it was not sent")
        deadline = self._monotonic() + self._rules.total_timeout_seconds
        return self._once(lambda client: client.post(path, dict(body)), "trading", deadline, allowed)

    def read(
        self, path: str, params: Params | None = None, service: Service = "trading", version: str = "v2"
    ) -> Answer:
        """GET one page. Raises CredentialsRefused, Refused (any other 4xx) or BrokerUnavailable, its base class."""
        base = self._endpoints.trading_url if service == "trading" else self._endpoints.data_url
        return self._repeat(
            "GET", lambda c: c.get(path, dict(params or {}), base_url=base, api_version=version), service, path
        )

    def delete(self, path: str) -> Answer:
        """DELETE by the broker's own id, which is safe to retry. Raises the same errors as `read`."""
        return self._repeat("DELETE", lambda client: client.delete(path), "trading", path)

    def close(self) -> None:
        """Close the connections of all threads; later calls open new ones."""
        with self._lock:
            for client in list(self._clients):
                client.session.close()

    def _repeat(self, method: str, ask: Callable[[AlpacaClient], Any], service: Service, path: str) -> Answer:
        patience, deadline, trouble = PACING_SECONDS_MAX, 0.0, "no call was left within a minute"
        for attempt in range(ATTEMPTS_MAX):
            if not self._pacers[service].take(patience):
                break
            if attempt == 0:
                deadline = self._monotonic() + self._rules.total_timeout_seconds
            try:
                answer = self._once(ask, service, deadline, is_repeat=attempt > 0)
            except NoAnswer as silence:
                trouble = silence.message
            else:
                trouble = trouble_of(answer, path, self._rules.total_timeout_seconds)
                if not trouble:
                    return answer
            pause = _backoff(attempt)
            patience = deadline - self._monotonic() - pause
            if patience <= 0 or attempt + 1 == ATTEMPTS_MAX:
                break
            _note_retry(f"{method} {path}", attempt + 1, trouble, pause)
            self._wait(pause)
        host = self._endpoints.trading_url if service == "trading" else self._endpoints.data_url
        raise BrokerUnavailable(f"{host} {path}: {trouble}")

    def _once(
        self,
        ask: Callable[[AlpacaClient], Any],
        service: Service,
        deadline: float,
        allowed: Callable[[], bool] | None = None,
        *,
        is_repeat: bool = False,
    ) -> Answer:
        """Send one request through alpaca-py; its errors become an Answer or NoAnswer."""
        import requests
        import urllib3
        from alpaca.common.exceptions import APIError

        from rebalancer.ops.deadline_session import Call, Withheld

        rules = self._rules
        began = self._monotonic()
        call = Call(deadline, rules.connect_timeout_seconds, rules.read_timeout_seconds, self._monotonic)
        call.allowed = allowed
        body, text, is_whole, is_withheld = None, "", True, False
        try:
            client = self._client()
            body = client.session.within(call, lambda: ask(client))
        except APIError as error:
            text = str(error)
        except Withheld:
            is_withheld = True
            raise NoAnswer(False, "withheld", "it was not allowed to leave any more") from None
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,  # requests lets through the ones it does not translate
            OSError,
            ValueError,
            RecursionError,
        ) as error:
            is_whole = False
            raise silence_of(call, error) from None
        finally:
            took = self._monotonic() - began
            if not is_withheld:
                self.traffic.ended(took, call.status, is_whole=is_whole, is_repeat=is_repeat)
            self._settle(call, service, took)
        assert call.status is not None, "a call that returned has a status"
        return Answer(call.status, body, self._credentials.scrub(text), call.headers)

    def _client(self) -> AlpacaClient:
        client: AlpacaClient | None = getattr(self._local, "client", None)
        if client is None:
            from rebalancer.brokers.alpaca.transport import AlpacaClient

            client = AlpacaClient(self._credentials, self._endpoints.trading_url, self._monotonic)
            with self._lock:
                self._clients.add(client)
            self._local.client = client
        return client

    def _settle(self, call: Call, service: Service, took_seconds: float) -> None:
        """Use the response headers to update the broker's time and the remaining request allowance."""
        date = self.time.heard_date(call.headers.get("Date"), took_seconds)
        remaining = whole_of(call.headers.get("X-Ratelimit-Remaining"))
        resets_at = whole_of(call.headers.get("X-Ratelimit-Reset"))
        reset = None if resets_at is None or date is None else resets_at - int(date.timestamp())
        if call.status == 429:
            retry_after = whole_of(call.headers.get("Retry-After"))
            remaining, reset = 0, reset if retry_after is None else retry_after
        self._pacers[service].done(remaining, reset)


def _note_retry(call: str, attempt: int, trouble: str, pause: float) -> None:
    """Log a retry, at a level for temporary problems: a call that fails for good is reported separately."""
    about = {"call": call, "attempt": str(attempt), "reason": trouble, "wait": f"{pause:.3f}"}
    said = f"{call}: attempt {attempt} of {ATTEMPTS_MAX}: {trouble}; again in {about['wait']} s"
    note(LOG, LogEvent.RETRY, said, details=about)


def _backoff(attempt: int) -> float:
    """Seconds before the next attempt: doubling, with jitter in the upper half so that callers do not retry in step."""
    full = min(_BACKOFF_SECONDS_MIN * 2.0**attempt, _BACKOFF_SECONDS_MAX)
    return full / 2 + full / 2 * secrets.randbelow(1000) / 1000
