"""The risk of what is held now, from its weights and the daily closes of its names. Pure; one figure a file.

Start at `common.py`: the days that all names have. Definitions stand in docs/performance.md.
"""
