"""What every request passes before any route sees it.

    1. Host      exactly one of the names and ports that this server answers to, else 421 (DNS rebinding)
    2. origin    a write of another site's page is refused, with a token too: 403 (Sec-Fetch-Site, else Origin)
    3. token     Authorization: Bearer, or the cookie of a browser that has logged in; 401 without, except on the few
                 public paths. With the cookie a write must come from a page of this server
    4. rate      429 with Retry-After

Answers are never stored by anybody and never shown inside another page. No CORS header is ever sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rebalancer.core.documents import BadDocument
from rebalancer.ops.clock import SystemClock
from rebalancer.web.logins import LoginFile, cookie_name
from rebalancer.web.problems import HttpProblem, problem_response
from rebalancer.web.rates import RateLimit
from rebalancer.web.tokens import TokenFile, WebToken

STATIC: Final = "/static/"  # style and script of the page
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FAILURES_PER_MINUTE: Final = 120  # wrong tokens from one address; right ones are not counted
HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class RequestGate:
    """Wraps an application. hosts: the Host headers that are answered, in lower case, with port unless it is 80.
    tokens: None for the hooks, whose tokens stand in their paths."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        tokens: TokenFile | None,
        public: Collection[str],
        per_minute: int,
        logins: LoginFile | None = None,
    ) -> None:
        self._app, self._hosts, self._tokens, self._public = app, frozenset(hosts), tokens, frozenset(public)
        self._logins, self._clock = logins, SystemClock()
        monotonic = self._clock.monotonic
        self._rates, self._failures = RateLimit(per_minute, monotonic), RateLimit(FAILURES_PER_MINUTE, monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except HttpProblem as problem:
            await problem_response(problem)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = self._host(headers)
        if scope["method"] not in SAFE:
            refuse_cross_site(headers, host)
        if self._tokens is None:
            return
        if b"token=" in scope.get("query_string", b"").lower():
            raise HttpProblem(400, "a token belongs in the Authorization header; an address ends up in logs")
        token = self._token(headers, scope)
        if token is None:
            token = self._logged_in(headers, host)
            if token is not None and scope["method"] not in SAFE:
                need_own_page(headers, host)
        if token is None and not self._is_public(scope["path"]):
            raise HttpProblem(401, "give a token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})
        wait = self._rates.take("" if token is None else token.name)
        if wait:
            raise HttpProblem(429, f"too many requests; again in {wait} s", {"Retry-After": str(wait)})
        scope.setdefault("state", {})["token"] = token

    def _is_public(self, path: str) -> bool:
        return path in self._public or path.startswith(STATIC)

    def _logged_in(self, headers: Headers, host: str) -> WebToken | None:
        """The session of the browser's cookie."""
        if self._logins is None or "cookie" not in headers:
            return None
        given = cookie_parser("; ".join(headers.getlist("cookie")))
        for is_secure in (True, False):
            text = given.get(cookie_name(host, is_secure=is_secure))
            if text:
                try:
                    return self._logins.find(text, self._clock.wall())
                except BadDocument as error:
                    raise HttpProblem(503, f"the logins cannot be read: {error.problem}") from None
        return None

    def _host(self, headers: Headers) -> str:
        given = headers.getlist("host")
        if len(given) != 1 or given[0].lower() not in self._hosts:
            raise HttpProblem(421, "this server does not answer to that Host; names are listed in web.hosts")
        return given[0].lower()

    def _token(self, headers: Headers, scope: Scope) -> WebToken | None:
        given = headers.getlist("authorization")
        if not given:
            return None
        kind, _, text = given[0].partition(" ")
        assert self._tokens is not None
        try:
            found = self._tokens.find(text.strip()) if kind.lower() == "bearer" and len(given) == 1 else None
        except BadDocument as error:
            raise HttpProblem(503, f"the tokens cannot be read: {error.problem}") from None
        if found is not None and "hook" not in found.scopes:
            return found
        client = scope.get("client") or ("", 0)
        wait = self._failures.take(str(client[0]))
        if wait:
            raise HttpProblem(429, f"too many wrong tokens; again in {wait} s", {"Retry-After": str(wait)})
        raise HttpProblem(401, "this token is not known", {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def refuse_cross_site(headers: Headers, host: str) -> None:
    """Raise HttpProblem 403 for a write that a page of another site asks for. Programs send neither header."""
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    if sites:
        if any(site not in ("same-origin", "none") for site in sites):
            raise HttpProblem(403, "a page of another site may not write here")
        return
    if any(origin.lower() not in (f"http://{host}", f"https://{host}") for origin in origins):
        raise HttpProblem(403, "a page of another origin may not write here")


def need_own_page(headers: Headers, host: str) -> None:
    """Raise HttpProblem 403 unless a write comes from a page of this server: a browser sends the cookie by itself."""
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    if sites and all(site == "same-origin" for site in sites):
        return
    if not sites and origins and all(origin.lower() in (f"http://{host}", f"https://{host}") for origin in origins):
        return
    raise HttpProblem(403, "with a cookie only a page of this server may write here")
