"""The trading day: calendar and slots, the session that runs them, the position monitor, systemd.

It puts a world together from a setup and runs cycles in it. It imports every room but the command line.
"""
