"""Market data: reference data, sectors, daily closes, volatilities, correlations and the trading calendar.

What changes at most once a day is read once and kept beside the journal. It imports brokers and what is below them, and
decides nothing.
"""
