"""The risk of the current portfolio, from its weights and daily closes. Pure; one measure per file.

Start with `common.py`, the returns on common days. Definitions are in docs/reference/performance.md.
"""
