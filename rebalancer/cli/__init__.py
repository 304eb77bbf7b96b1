"""The command line: one file a group of commands; parse, call, print.

It holds no rule of trading. It imports every room, and it alone starts the embedded exchange.
"""
