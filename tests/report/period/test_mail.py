"""The mail edition: whole in every mail program, one subject per period, hostile texts harmless."""

from __future__ import annotations

import re

import pytest

from rebalancer.report.period.mail import MAIL_BYTES_MAX, edition_mail
from tests.report.golden import assert_golden
from tests.report.html_tree import parse
from tests.report.period.sample import edition
from tests.report.period.test_edition_page import bare, wide
from tests.report.test_hostile import PAYLOADS


def test_golden_mail() -> None:
    mail = edition_mail(edition())
    assert_golden("mail.html", mail.html)
    assert_golden("mail.txt", mail.text)


SUBJECTS = [
    (edition(), "[PAPER] Day of Fri 2026-11-20: 4 things need you, +0.40 %, 11 orders"),
    (bare(), "[PAPER] Day of Fri 2026-11-20: OK, +0.40 %, 0 orders"),
    (bare(period="month", mode="live", equity=None), "[LIVE] Month 2026-11: OK, 0 orders"),
]


@pytest.mark.parametrize(("one", "subject"), SUBJECTS)
def test_the_subject(one: object, subject: str) -> None:
    assert edition_mail(one).subject == subject  # type: ignore[arg-type]  # the table holds editions


def test_no_mail_program_cuts_it_and_nothing_is_fetched() -> None:
    for one in (edition(), wide(), bare()):
        html = edition_mail(one).html
        assert len(html.encode()) <= MAIL_BYTES_MAX
        tags = {e.tag for e in parse(html).all()}
        assert not tags & {"script", "svg", "img", "style", "link", "iframe", "form", "a"}
        assert re.findall(r"https?:|url\(", html) == []


def test_the_attachment_is_the_page() -> None:
    assert edition_mail(edition()).attachment == "2026-11-20_paper_day.html"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_texts_break_no_header_and_no_tag(payload: str) -> None:
    plain = edition()
    one = plain._replace(
        trades=tuple(t._replace(line=t.line._replace(symbol=payload, message=payload)) for t in plain.trades),
        alarms=tuple(a._replace(text=payload) for a in plain.alarms),
    )
    mail = edition_mail(one)
    assert mail.subject.isprintable()
    assert [e.tag for e in parse(mail.html).all("script", "img", "a", "style")] == []
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", mail.html + mail.text)
