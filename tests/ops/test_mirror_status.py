"""Two processes report on one mirror: the one that copies, and a comparison by hand."""

from __future__ import annotations

from rebalancer.ops.mirror_status import MirrorStatus

COPYING = MirrorStatus(
    "db", "2026-11-20T15:00:30Z", row=9, level_at="2026-11-20T15:00:30Z", verified_row=5,
    verified_at="2026-11-20T15:00:00Z", compared_at="2026-11-20T15:00:00Z",
)  # fmt: skip
FOUND = MirrorStatus(
    "db", "2026-11-20T15:00:20Z", row=8, difference="row 3 differs", compared_at="2026-11-20T15:00:00.5Z"
)


def test_the_later_comparison_counts_and_nothing_else_of_the_other_report() -> None:
    merged = COPYING._replace(
        verified_row=None, verified_at=None, difference="row 3 differs", compared_at="2026-11-20T15:00:00.5Z"
    )
    assert COPYING.with_comparison_of(FOUND) == merged
    assert FOUND.with_comparison_of(COPYING) == FOUND
    assert COPYING._replace(compared_at=None).with_comparison_of(FOUND) == merged
    assert COPYING.with_comparison_of(FOUND._replace(place="another")) == COPYING
    assert COPYING.with_comparison_of(FOUND._replace(compared_at=None)) == COPYING
