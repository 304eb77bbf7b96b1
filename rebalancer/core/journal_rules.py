"""The rules of where the journal is kept."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from rebalancer.core.database_url import BadDatabaseUrl, problem_of, split_schema
from rebalancer.core.rule_section import RuleSection


class JournalStorage(RuleSection):
    """Where the journal is kept. The password of its database: REBALANCER_JOURNAL_PASSWORD, of its mirror's:
    REBALANCER_MIRROR_PASSWORD."""

    url: str | None = Field(
        None, description="postgresql://user@host/database, without password; null: a file in the state folder"
    )

    lease_seconds: int | None = Field(
        None, ge=4, le=3600, description="a host that is gone is replaced after this; null: twice the longest cycle"
    )

    mirror_url: str | None = Field(
        None, description="postgresql://user@host/database that receives a copy of the journal's file; null: none"
    )

    mirror_warn_minutes: float = Field(
        10.0, gt=0, le=10_080, description="minutes; a mirror that is behind for longer is an alert"
    )

    size_limit_mb: int | None = Field(
        None, ge=1, description="MB (10^6 bytes) that the journal may take; null: what is free on its disk"
    )

    @field_validator("url", "mirror_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        problem = None if url is None else problem_of(url)
        if problem is not None:
            raise BadDatabaseUrl(problem)
        return url

    @field_validator("url")
    @classmethod
    def _names_no_schema(cls, url: str | None) -> str | None:
        if url is not None and split_schema(url)[1] is not None:
            raise BadDatabaseUrl("names a schema, which follows from profile and mode, as rebalancer_paper")
        return url

    @model_validator(mode="after")
    def _is_mirrored_from_a_file(self) -> Self:
        if self.url is not None and self.mirror_url is not None:
            raise ValueError(
                "mirror_url is for a journal in a file: leave url out, or leave mirror_url out (a database is "
                "replicated by PostgreSQL itself)"
            )
        return self
