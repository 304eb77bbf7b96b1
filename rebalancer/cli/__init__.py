"""The command line: one file per group of commands; parse, call, print.

It contains no trading rule. It imports every package, and it alone starts the embedded exchange.
"""
