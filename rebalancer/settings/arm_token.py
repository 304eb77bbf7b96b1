"""The token of `arm-live`: a file that stands for --live and the confirmation until it expires."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from rebalancer.core.documents import BadDocument, read_json
from rebalancer.core.values import utc_of
from rebalancer.settings.secrets.private_file import read_private

FILE_NAME: Final = "live.armed"
HOURS_MAX: Final = 24 * 7


def is_armed(state: Path, account_id: str, now: datetime, *, for_web: bool = False) -> bool:
    """Whether a token of this account is valid. for_web: whether it was also written with `web.live_writes: true`.
    Raises BadDocument for one that other users may write or read."""
    text = read_private(state / FILE_NAME)
    if text is None:
        return False
    try:
        body = read_json(text, str(state / FILE_NAME))
        begins, ends = utc_of(body["from"]), utc_of(body["until"])
        valid = body["account"] == account_id[-4:] and begins <= now < ends <= begins + timedelta(hours=HOURS_MAX)
        return valid and (not for_web or body.get("web") is True)
    except (ValueError, TypeError, KeyError):
        raise BadDocument(
            str(state / FILE_NAME), "is not a token", "remove it and run rebalancer arm-live again"
        ) from None
