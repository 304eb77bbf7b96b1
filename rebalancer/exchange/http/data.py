"""Market data: /v2/stocks and /v1beta3/crypto/us."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rebalancer.exchange import market_data
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import parameters

_STOCKS, _CRYPTO = "/v2/stocks", "/v1beta3/crypto/us"


def data_routes(exchange: Exchange) -> list[Route]:
    """Routes of market data."""

    def is_crypto(request: Request) -> bool:
        return request.url.path.startswith(_CRYPTO)

    async def latest(request: Request) -> JSONResponse:
        kind = request.url.path.removesuffix("/latest").rpartition("/")[2]
        return JSONResponse(market_data.latest(exchange, kind, parameters(request), crypto=is_crypto(request)))

    async def stock_snapshots(request: Request) -> JSONResponse:
        return JSONResponse(market_data.snapshots(exchange, parameters(request), crypto=False))

    async def crypto_snapshots(request: Request) -> JSONResponse:
        return JSONResponse({"snapshots": market_data.snapshots(exchange, parameters(request), crypto=True)})

    async def bars(request: Request) -> JSONResponse:
        return JSONResponse(market_data.bar_page(exchange, parameters(request), crypto=is_crypto(request)))

    kinds = ("quotes", "trades", "bars")
    return [
        *(Route(f"{_STOCKS}/{kind}/latest", latest, methods=["GET"]) for kind in kinds),
        *(Route(f"{_CRYPTO}/latest/{kind}", latest, methods=["GET"]) for kind in kinds),
        Route(f"{_STOCKS}/snapshots", stock_snapshots, methods=["GET"]),
        Route(f"{_CRYPTO}/snapshots", crypto_snapshots, methods=["GET"]),
        Route(f"{_STOCKS}/bars", bars, methods=["GET"]),
        Route(f"{_CRYPTO}/bars", bars, methods=["GET"]),
    ]
