"""What the exchange tells without being asked: order events and market data, over websocket and server-sent events.

1. `events`         the log of order events in the state file; every transition of an order is written down once
2. `channel`        one websocket that speaks JSON in text or binary frames, or msgpack; `conversation` holds it
3. `trade_updates`  `/stream`: the account's order events
4. `sse`            `/v2/events/trades`: the same events, which can be replayed
5. `market_feed`    what has newly become known about prices; `market_stream` sends it on `/v2/{feed}`
"""
