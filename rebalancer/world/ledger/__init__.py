"""What the journal knows of fills, money, orders and days, gathered into one `performance.records.Ledger`.

`gather.py` is the way in; `movements.py` reads account activities, `stories.py` reads orders with their plans,
`daily.py` the values of the days, `closes.py` a benchmark's closes from the day sheet. Nothing is asked of the broker.
"""
