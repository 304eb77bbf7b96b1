"""The documented example of a snapshot."""

SNAPSHOT = """{"schema":"rebalancer.snapshot/1","cycle_id":"2026-11-20T15:35Z","as_of":"2026-11-20T15:35:02Z",
 "session":{"is_open":true,"open":"2026-11-20T14:30:00Z","close":"2026-11-20T21:00:00Z"},
 "account":{"id":"paper-1","equity":"100000","last_equity":"100000","peak_equity":"100000","cash":"100000",
            "buying_power":"200000","multiplier":"2","shorting_enabled":true,"restrictions":[]},
 "positions":[{"symbol":"AAPL","qty":"10","qty_available":"10","avg_entry_price":"180.50"}],
 "open_orders":[{"client_order_id":"x","symbol":"AAPL","side":"buy","qty":"5","filled_qty":"0","type":"market","ours":true}],
 "instruments":[{"symbol":"AAPL","asset_class":"us_equity","tradable":true,"fractionable":true,"shortable":true,
                 "lot":"1","tick":"0.01","sector":"Technology","correlation_group":"g1","volatility":0.28}],
 "quotes":[{"symbol":"AAPL","bid":"189.99","ask":"190.01","last":"190.00","at":"2026-11-20T15:35:00Z"}],
 "signals":[{"id":"s-1","symbol":"AAPL","score":0.8,"confidence":0.9,"source":"external",
             "issued_at":"2026-11-20T15:34:00Z"}],
 "day":{"orders_sent":12,"orders_sent_by_symbol":{"AAPL":2}},
 "expected_positions":{"AAPL":"10"}}
"""
