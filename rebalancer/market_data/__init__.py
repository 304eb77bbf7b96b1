"""Market data: reference data, sectors, daily closes, volatilities, correlations and the trading calendar.

Data that changes at most once a day is read once and kept beside the journal. This package imports brokers and the
layers below them, and makes no decisions.
"""
