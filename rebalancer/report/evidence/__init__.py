"""One signed file a day for an auditor: rules, plans, orders, reasons, reconciliation and the journal's head.

document     what the file states, read from the journal alone
signature    Ed25519 over the canonical text; the key of this state folder; checking (extra `evidence`)
day_file     the file of a day on disk, linked to the one before it
"""
