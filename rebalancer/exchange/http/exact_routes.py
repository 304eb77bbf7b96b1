"""Find the route of a path without parameters in a table, instead of trying one route after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_PLAIN_METHODS: Final = ("GET", "POST", "DELETE", "PATCH")


class ExactRoutes(BaseRoute):
    """Stands before all routes, and gives each method and path the route that trying them in turn would find."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._found: dict[tuple[str, str], Route] = {}
        paths = {route.path for route in routes if isinstance(route, Route) and "{" not in route.path}
        for path in paths:
            for method in _PLAIN_METHODS:
                scope: Scope = {"type": "http", "method": method, "path": path, "root_path": ""}
                first = next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)
                if isinstance(first, Route):
                    self._found[method, path] = first

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the table knows it; everything else is left to the routes behind."""
        route = self._route(scope)
        return (Match.NONE, {}) if route is None else route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route found."""
        route = self._route(scope)
        assert route is not None, "it has just matched"
        await route.handle(scope, receive, send)

    def _route(self, scope: Scope) -> Route | None:
        return self._found.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
