"""The vocabulary shared by all packages: facts, decisions, outcomes, and the rules a user can set.

It defines values, facts, decisions, outcomes, rules and errors, and reads and writes them as JSON. Everything is
immutable. It has no side effects, apart from reading input files, and imports no other package of the project; every
other package may import it.
"""
