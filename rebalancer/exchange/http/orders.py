"""/v2/orders."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rebalancer.exchange import orders
from rebalancer.exchange.core import Exchange
from rebalancer.exchange.http.body import json_object, parameters
from rebalancer.exchange.replacement import replace_order


def order_routes(exchange: Exchange) -> list[Route]:
    """Routes of orders."""

    async def submit(request: Request) -> JSONResponse:
        return JSONResponse(exchange.submit(await json_object(request)))

    async def listed(request: Request) -> Response:
        return Response(orders.orders_text(exchange, parameters(request)), media_type="application/json")

    async def cancel_all(_: Request) -> JSONResponse:
        return JSONResponse(orders.cancel_all(exchange), 207)

    async def by_client_id(request: Request) -> JSONResponse:
        client_order_id = parameters(request).get("client_order_id", "")
        return JSONResponse(orders.get_order_by_client_id(exchange, client_order_id))

    async def one(request: Request) -> JSONResponse:
        return JSONResponse(orders.get_order(exchange, request.path_params["order_id"], parameters(request)))

    async def replace(request: Request) -> JSONResponse:
        body = await json_object(request)
        return JSONResponse(replace_order(exchange, request.path_params["order_id"], body))

    async def cancel(request: Request) -> Response:
        orders.cancel_order(exchange, request.path_params["order_id"])
        return Response(status_code=204)

    return [
        Route("/v2/orders", submit, methods=["POST"]),
        Route("/v2/orders", listed, methods=["GET"]),
        Route("/v2/orders", cancel_all, methods=["DELETE"]),
        Route("/v2/orders:by_client_order_id", by_client_id, methods=["GET"]),
        Route("/v2/orders/{order_id}", one, methods=["GET"]),
        Route("/v2/orders/{order_id}", replace, methods=["PATCH"]),
        Route("/v2/orders/{order_id}", cancel, methods=["DELETE"]),
    ]
