"""Alerts by e-mail through any SMTP server: REBALANCER_SMTP_URL, with `alerts.email_to` and `alerts.email_from`."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from rebalancer.alerts.address import BadAddress, SmtpServer
from rebalancer.alerts.channel import NotDelivered
from rebalancer.alerts.message import Message, one_line
from rebalancer.core.values import utc_of

STEP_SECONDS: Final = 10.0  # for one response of the server
TOTAL_SECONDS: Final = 30.0  # for the whole SMTP session, however slowly data arrives


class Email:
    """Sends every message to all recipients; its Message-ID is the same on every attempt."""

    name = "email"

    def __init__(
        self,
        server: SmtpServer,
        sender: str,
        recipients: Sequence[str],
        *,
        context: ssl.SSLContext | None = None,
        step_seconds: float = STEP_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._server, self._sender, self._recipients = server, sender, tuple(recipients)
        self._context, self._step, self._total = context, step_seconds, total_seconds
        self.shown = f"{server.shown} to {len(self._recipients)} recipients"

    def send(self, message: Message) -> None:
        """Send the message to the server."""
        letter = letter_of(message, self._sender, self._recipients)
        with self._conversation() as smtp:
            refused = smtp.send_message(letter, self._sender, list(self._recipients))
        if refused:
            raise NotDelivered(f"{len(refused)} of {len(self._recipients)} recipients were refused")

    def reach(self) -> str:
        """Connect, log in and disconnect."""
        with self._conversation() as smtp:
            smtp.noop()
        return "the server answers and accepts the login" if self._server.user else "the server answers"

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """A connection that is ready to send mail, and is cut when its time runs out."""
        server, smtp = self._server, self._unconnected()
        cut = threading.Timer(self._total, _cut, [smtp])
        cut.daemon = True
        cut.start()
        try:
            code, _ = smtp.connect(server.host, server.port)
            if code != 220:
                raise NotDelivered(f"the server answered {code} at once")
            if server.security == "smtp+starttls":
                smtp.starttls(context=self._tls())
            if server.user:
                smtp.login(server.user, server.password)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # the message has been accepted by now
        except smtplib.SMTPRecipientsRefused:
            raise NotDelivered("all recipients were refused") from None
        except smtplib.SMTPResponseException as error:
            raise NotDelivered(f"the server answered {error.smtp_code} ({type(error).__name__})") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotDelivered(f"no answer ({type(error).__name__})") from None
        finally:
            cut.cancel()
            smtp.close()

    def _unconnected(self) -> smtplib.SMTP:
        own = socket.gethostname() or "localhost"  # else smtplib makes a DNS lookup without a deadline
        if self._server.security == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=own, timeout=self._step, context=self._tls())
        else:
            smtp = smtplib.SMTP(local_hostname=own, timeout=self._step)
        smtp._host = self._server.host  # type: ignore[attr-defined]  # checked against its certificate
        return smtp

    def _tls(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()


def letter_of(message: Message, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The message as an e-mail: text, an HTML alternative if there is one, and the page as an attachment."""
    letter = EmailMessage()
    letter["Subject"] = message.subject
    letter["From"], letter["To"] = sender, ", ".join(recipients)
    letter["Date"] = format_datetime(utc_of(message.at))
    letter["Message-ID"] = f"<{message.id}@rebalancer.invalid>"
    letter["Auto-Submitted"] = "auto-generated"
    if message.level == "action":
        letter["Importance"] = "high"
    letter.set_content(message.text)
    if message.html:
        letter.add_alternative(message.html, subtype="html")
    if message.attachment is not None:
        name = one_line(message.attachment.name, 100)
        letter.add_attachment(message.attachment.html, subtype="html", filename=name)
    return letter


def recipients_of(email_to: str) -> tuple[str, ...]:
    """The addresses of `alerts.email_to`. Raises BadAddress for an invalid one."""
    found = tuple(part.strip() for part in email_to.split(",") if part.strip())
    for one in found:
        if one.count("@") != 1 or one != one_line(one, 254) or any(c in one for c in ' <>"\\') or not one.isascii():
            raise BadAddress("alerts.email_to must be plain addresses, separated by commas, such as you@example.com")
    return found


def _cut(smtp: smtplib.SMTP) -> None:
    """Abort an SMTP session from another thread: a pending read on its socket fails at once."""
    if smtp.sock is not None:
        with suppress(OSError):
            smtp.sock.shutdown(socket.SHUT_RDWR)
