"""Failures outside this program; every message says what happened and how to fix it.

ExternalError
+-- BrokerUnavailable       no answer within the deadline, 5xx, unreadable answer to a read     exit 69
+-- CredentialsRefused      401, or a 403 that is not about an order                            exit 77
+-- WrongAccount            the broker's account is not the configured one                      exit 77
+-- LockHeld                another run holds the lock                                          exit 75
    +-- AccountLeased       another host trades the account                                 exit 75
+-- Unwritable              a directory or disk cannot be written to                            exit 78
+-- SignalsUnavailable      a file of received signals cannot be read or written                exit 78
+-- JournalBroken           the journal cannot be trusted or written                            exit 78
    +-- JournalSetBack      its newest rows are missing, or others stand in their place     exit 78
    +-- LeaseLost           another host has taken over the account                         exit 75
    +-- JournalLocked       another program has kept it locked longer than we wait              exit 69
    +-- MirrorRefused       a copy of another history, or one that nobody may write to      exit 78
    +-- AnotherProgram      orders with our prefix are not in this journal                      exit 5
"""

from __future__ import annotations


class ExternalError(Exception):
    """Something outside this program failed; the message says what happened and how to fix it."""


class BrokerUnavailable(ExternalError):
    """The broker or its data could not be read within the deadline."""


class CredentialsRefused(ExternalError):
    """The broker refused the key."""


class WrongAccount(ExternalError):
    """The key belongs to an account other than the configured one."""


class LockHeld(ExternalError):
    """Another run holds the lock; the message names its process."""


class AccountLeased(LockHeld):
    """Another host trades the account; the message names it."""


class Unwritable(ExternalError):
    """One of our files cannot be created or written; the message gives the path, the free space and the fix."""


class SignalsUnavailable(ExternalError):
    """The inbox or the store of receipts cannot be opened, read or written within the time allowed."""


class JournalBroken(ExternalError):
    """The journal is damaged, out of date, newer than this program, or not writable."""


class JournalAltered(JournalBroken):
    """A stored row or document is not what was written. Says what, and not in which journal: whoever reads adds it."""


class JournalLocked(JournalBroken):
    """Another program holds a lock on the journal's database. Temporary: it is worth retrying later."""


class JournalSetBack(JournalBroken):
    """The journal holds less than this host has written or seen, or something else: an old copy, a failover."""


class LeaseLost(JournalBroken):
    """Another host has taken over the account; this one must not write or send anything more."""


class MirrorRefused(JournalBroken):
    """A mirror is not written to by anything but the journal that it copies, and by that one only while its rows are
    the first rows of that journal."""


class AnotherProgram(JournalBroken):
    """Another program trades this account with our order id prefix, or this journal is an old copy."""
