"""What can go wrong outside this program; every message says what happened and how to mend it.

ExternalError
+-- BrokerUnavailable       no answer within the deadline, 5xx, unreadable answer to a read     exit 69
+-- CredentialsRefused      401, or a 403 that is not about an order                            exit 77
+-- WrongAccount            the broker's account is not the configured one                      exit 77
+-- LockHeld                another run holds the lock                                          exit 75
+-- Unwritable              a folder or a disk takes no more                                    exit 78
+-- JournalBroken           the journal cannot be trusted or written                            exit 78
    +-- JournalLocked       another program holds it locked for longer than we wait             exit 69
    +-- AnotherProgram      orders with our prefix are not the ones that this journal knows     exit 5
"""

from __future__ import annotations


class ExternalError(Exception):
    """Something outside this program failed; the message says what and how to mend it."""


class BrokerUnavailable(ExternalError):
    """The broker or its data could not be read within the deadline."""


class CredentialsRefused(ExternalError):
    """The broker refused the key."""


class WrongAccount(ExternalError):
    """The key belongs to another account than the configured one."""


class LockHeld(ExternalError):
    """Another run holds the lock; the message names its process."""


class Unwritable(ExternalError):
    """A file of ours cannot be made or written; the message names path, free space and fix."""


class JournalBroken(ExternalError):
    """The journal is damaged, behind, newer than this program, or cannot be written."""


class JournalLocked(JournalBroken):
    """Another program holds the journal's database locked; this passes, so that trying again later makes sense."""


class AnotherProgram(JournalBroken):
    """Somebody else trades this account under our prefix, or this journal is an old copy."""
