"""What the exchange says about itself: an OpenAPI 3.1 document, served at `/openapi.json`.

1. `objects`   the JSON objects of requests and answers
2. `calls`     one entry a route: parameters, body, answers; `data_calls` those of market data
3. `document`  both put together, and the route that serves it

Websockets (`/stream`, the data streams) are outside of what OpenAPI can say. A test compares `calls` with the routes.
"""
