"""Testing: what a test of a trading program needs, without network, threads or waiting.

`memory_broker` is a broker in memory with rules of its own. This room may import every other one; nothing but tests
imports it.
"""
