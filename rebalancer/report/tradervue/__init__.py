"""Copies of our executions for Tradervue, over its documented import API. Off by default; never tried on the live
service, only against a local server that speaks the same API.

`executions.py` says what is sent, `client.py` how it is asked, `sync.py` in which order, so that nothing is sent twice.
"""
