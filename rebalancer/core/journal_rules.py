"""The rules of where the journal is kept."""

from __future__ import annotations

from pydantic import Field, field_validator

from rebalancer.core.database_url import BadDatabaseUrl, problem_of
from rebalancer.core.rule_section import RuleSection


class JournalStorage(RuleSection):
    """Where the journal is kept. The password of a database: REBALANCER_JOURNAL_PASSWORD."""

    url: str | None = Field(
        None, description="postgresql://user@host/database, without password; null: a file in the state folder"
    )

    lease_seconds: int | None = Field(
        None, ge=4, le=3600, description="a host that is gone is replaced after this; null: twice the longest cycle"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        problem = None if url is None else problem_of(url)
        if problem is not None:
            raise BadDatabaseUrl(problem)
        return url
