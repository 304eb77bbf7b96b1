"""Copies of our executions for Tradervue, over its documented import API. Off by default; never tried on the live
service, only against a local server that speaks the same API.

`executions.py` defines what is sent, `client.py` the requests, and `sync.py` their order, so that nothing is sent
twice.
"""
