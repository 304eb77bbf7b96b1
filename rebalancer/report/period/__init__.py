"""Editions: the report of a whole day, week, month or longer, as page, mail, JSON and CSV."""
