"""The trading day: calendar and slots, the session that runs them, the position monitor, systemd.

It builds a World from a setup and runs cycles in it. It imports every package except the command line.
"""
