"""Every channel against a real server: what arrives, what a failure says, and that no secret stands in its words."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Iterator

import pytest

from rebalancer.alerts import Message, NotDelivered, configured
from rebalancer.alerts.address import SmtpServer
from rebalancer.alerts.heartbeat import Heartbeat
from rebalancer.alerts.mail import Email
from rebalancer.alerts.message import Attachment
from rebalancer.core.rules import Alerts
from tests.alerts.servers import MailServer, WebServer, certificate, silent_server

CANARY = "kQ7-canary-secret"
MESSAGE = Message(
    "abc123", "action", "latched", "drawdown", 2, "2026-11-20T15:00:00Z", "[PAPER] action: enough", "It is enough.\n"
)
SUMMARY = MESSAGE._replace(html="<html><body>Wörter</body></html>", attachment=Attachment("day.html", "<p>page</p>"))


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer().running() as server:
        yield server


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


def test_a_webhook_is_posted_json_with_a_stable_id(web: WebServer) -> None:
    (hook,) = configured(Alerts(), {"REBALANCER_ALERT_WEBHOOK": f"{web.url}/{CANARY}"}).channels
    hook.send(MESSAGE)
    ((method, path, headers, body),) = web.requests
    assert (method, path, headers["Idempotency-Key"]) == ("POST", f"/{CANARY}", "abc123")
    assert json.loads(body) == {
        "schema": "rebalancer.alert/1", "id": "abc123", "level": "action", "code": "latched", "key": "drawdown",
        "count": 2, "at": "2026-11-20T15:00:00Z", "subject": "[PAPER] action: enough", "text": "It is enough.\n",
    }  # fmt: skip


@pytest.mark.parametrize(("status", "said"), [(500, "it answered 500"), (404, "404"), (302, "302; redirects are not")])
def test_a_webhook_that_says_no_is_tried_once_and_followed_nowhere(web: WebServer, status: int, said: str) -> None:
    web.statuses = [status]
    (hook,) = configured(Alerts(), {"REBALANCER_ALERT_WEBHOOK": f"{web.url}/{CANARY}"}).channels
    with pytest.raises(NotDelivered, match=said) as failed:
        hook.send(MESSAGE)
    assert len(web.requests) == 1
    assert CANARY not in str(failed.value) + hook.shown + repr(hook)


def test_a_webhook_that_nobody_serves() -> None:
    (hook,) = configured(Alerts(), {"REBALANCER_ALERT_WEBHOOK": f"http://127.0.0.1:1/{CANARY}"}).channels
    with pytest.raises(NotDelivered, match=r"no answer \(ConnectionError\)") as failed:
        hook.send(MESSAGE)
    assert CANARY not in str(failed.value)
    with pytest.raises(NotDelivered, match="no connection"):
        hook.reach()


def server_of(mail: MailServer, security: str, user: str = "", password: str = "") -> SmtpServer:
    return SmtpServer(security, "127.0.0.1", mail.port, user, password)


def test_a_summary_by_starttls_with_a_login(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with MailServer(contexts[0], login=f"me:{CANARY}").running() as mail:
        server = server_of(mail, "smtp+starttls", "me", CANARY)
        channel = Email(server, "me@example.com", ["a@example.com", "b@example.com"], context=contexts[1])
        channel.send(SUMMARY)
        assert channel.reach() == "the server answers and accepts the login"
    (letter,) = mail.letters
    assert mail.was_secure == [True]
    assert (letter["Message-ID"], letter["To"]) == ("<abc123@rebalancer.invalid>", "a@example.com, b@example.com")
    assert letter["Subject"] == "[PAPER] action: enough"
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content().strip(), html.get_content().strip()) == (
        "It is enough.",
        "<html><body>Wörter</body></html>",
    )
    assert [(part.get_filename(), part.get_content().strip()) for part in letter.iter_attachments()] == [
        ("day.html", "<p>page</p>")
    ]


def test_tls_from_the_first_byte_and_a_certificate_that_nobody_knows(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    with MailServer(contexts[0], at_once=True).running() as mail:
        server = server_of(mail, "smtps")
        Email(server, "me@example.com", ["a@example.com"], context=contexts[1]).send(MESSAGE)
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            Email(server, "me@example.com", ["a@example.com"]).send(MESSAGE)
    assert [letter["Subject"] for letter in mail.letters] == ["[PAPER] action: enough"]


def test_a_server_without_starttls_gets_neither_login_nor_mail() -> None:
    with MailServer().running() as mail, pytest.raises(NotDelivered):
        Email(server_of(mail, "smtp+starttls", "me", CANARY), "me@example.com", ["a@example.com"]).send(MESSAGE)
    assert mail.letters == []


def test_what_a_mail_server_says_is_never_repeated() -> None:
    with MailServer(login="me:other").running() as mail, pytest.raises(NotDelivered) as failed:
        Email(server_of(mail, "smtp", "me", CANARY), "me@example.com", ["a@example.com"]).send(MESSAGE)
    assert str(failed.value) == "the server answered 535 (SMTPAuthenticationError)"


def test_a_mail_server_that_never_answers_is_given_up() -> None:
    with silent_server() as port:
        for step, total in (
            (0.2, 3600.0),
            (3600.0, 0.2),
        ):  # by the step's time; and, where drips reset that, by the whole's
            slow = Email(
                SmtpServer("smtp", "127.0.0.1", port, "", ""),
                "a@b.c",
                ["a@b.c"],
                step_seconds=step,
                total_seconds=total,
            )
            with pytest.raises(NotDelivered):
                slow.send(MESSAGE)


def test_a_heartbeat(web: WebServer) -> None:
    heart = configured(Alerts(), {"REBALANCER_HEARTBEAT_URL": f"{web.url}/ping/{CANARY}?create=1"}).heartbeat
    assert isinstance(heart, Heartbeat)
    heart.beat()
    heart.beat("slot 14:35\nHALTED")
    assert [(method, path, body) for method, path, _, body in web.requests] == [
        ("GET", f"/ping/{CANARY}?create=1", b""),
        ("POST", f"/ping/{CANARY}/fail?create=1", b"slot 14:35 HALTED"),
    ]
    assert CANARY not in heart.shown + repr(heart)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the library itself, when it is loaded
def test_apprise_hands_over_to_its_own_services(web: WebServer) -> None:
    url = f"json://127.0.0.1:{web.port}/{CANARY}"
    (channel,) = configured(Alerts(), {"REBALANCER_APPRISE_URLS": url}).channels
    channel.send(MESSAGE)
    ((_, path, _, body),) = web.requests
    sent = json.loads(body)
    assert (path.rstrip("/"), sent["title"], sent["message"].strip(), sent["type"]) == (
        f"/{CANARY}", "[PAPER] action: enough", "It is enough.", "failure",
    )  # fmt: skip
    web.statuses = [500]
    with pytest.raises(NotDelivered, match="at least one service did not accept it"):
        channel.send(MESSAGE)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_that_is_missing_or_does_not_understand(monkeypatch: pytest.MonkeyPatch) -> None:
    (channel,) = configured(Alerts(), {"REBALANCER_APPRISE_URLS": f"nosuch://{CANARY}"}).channels
    with pytest.raises(NotDelivered, match="REBALANCER_APPRISE_URLS: Apprise does not understand address 1") as failed:
        channel.send(MESSAGE)
    assert CANARY not in str(failed.value)
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotDelivered, match=r"pip install 'apprise>=1.9'"):
        channel.send(MESSAGE)


@pytest.mark.parametrize(
    ("rules", "environ", "problem"),
    [
        ({}, {"REBALANCER_ALERT_WEBHOOK": f"http://example.com/{CANARY}"}, "REBALANCER_ALERT_WEBHOOK must be an https"),
        ({}, {"REBALANCER_HEARTBEAT_URL": f"https://a:{CANARY}@/x"}, "REBALANCER_HEARTBEAT_URL is not a valid address"),
        ({}, {"REBALANCER_SMTP_URL": f"smtps://a:{CANARY}@b"}, "alerts.email_to names no recipient"),
        ({"email_to": "a@b.c"}, {}, "REBALANCER_SMTP_URL is not"),
        (
            {"email_to": "a@b.c"},
            {"REBALANCER_SMTP_URL": f"smtp://a:{CANARY}@b"},
            "without TLS is for this machine only",
        ),
        ({"email_to": "a@b.c"}, {"REBALANCER_SMTP_URL": f"smtps://{CANARY}@b"}, "both user and password"),
        (
            {"email_to": "a@b.c"},
            {"REBALANCER_SMTP_URL": f"smtps://a:{CANARY}/x@b"},
            "REBALANCER_SMTP_URL is not a valid address",
        ),
        (
            {"email_to": "a@b\nBcc: c@d"},
            {"REBALANCER_SMTP_URL": "smtps://b"},
            "alerts.email_to must be plain addresses",
        ),
    ],
)
def test_what_cannot_be_used_is_a_problem_in_words(
    rules: dict[str, str], environ: dict[str, str], problem: str
) -> None:
    found = configured(Alerts(**rules), environ)
    assert (found.channels, found.heartbeat, len(found.problems)) == ((), None, 1)
    assert problem in found.problems[0]
    assert CANARY not in found.problems[0]
