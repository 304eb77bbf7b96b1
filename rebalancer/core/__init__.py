"""The vocabulary: what was read, what was decided, how things end, and what a person can set.

It holds values, facts, decisions, outcomes, rules and errors, and reads and writes them as JSON. Everything is
immutable. It imports nothing of the other rooms and has no effects; every other room may import it.
"""
