"""A copy of a journal's file in PostgreSQL that follows it: in batches, in the order of the chain, resumable.

Whoever copies is a process of its own. It reads the file in short transactions, none of which lasts while the database
is asked, so that no writer of the journal ever waits for it.
"""
