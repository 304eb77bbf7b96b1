"""Real servers on loopback: HTTP that notes what it is sent, SMTP with and without TLS, and one that never answers."""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class WebServer:
    """Answers with the statuses it is given, then with 200; `requests` are (method, path, headers, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        own = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                own.requests.append((self.command, self.path, dict(self.headers), body))
                status = own.statuses.pop(0) if own.statuses else 200
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", f"{own.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = answer  # noqa: N815 - the names are the library's

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[WebServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class MailServer:
    """A small SMTP server: EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False, login: str = "") -> None:
        """tls: offered by STARTTLS, or from the first byte with `at_once`. login: "user:password" that is asked for."""
        self.letters: list[EmailMessage] = []
        self.refuse = ""
        self.was_secure: list[bool] = []
        own = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    self.talk()
                except OSError:
                    return
                finally:
                    self.request.close()  # of TLS, this is not the socket that the server knows

            def talk(self) -> None:
                if tls is not None and at_once:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                self.file, self.secure, self.known = self.request.makefile("rb"), at_once, not login
                self.say("220 loopback")
                while line := self.file.readline():
                    word, _, rest = line.decode().strip().partition(" ")
                    if not self.obey(word.upper(), rest):
                        break
                self.file.close()

            def obey(self, word: str, rest: str) -> bool:
                match word:
                    case "EHLO":
                        offers = ["250-loopback"]
                        offers += ["250-STARTTLS"] if tls is not None and not self.secure else []
                        offers += ["250-AUTH PLAIN LOGIN"] if login else []
                        self.say("\r\n".join([*offers, "250 8BITMIME"]))
                    case "STARTTLS":
                        assert tls is not None
                        self.say("220 go")
                        self.request = tls.wrap_socket(self.request, server_side=True)
                        self.file, self.secure = self.request.makefile("rb"), True
                    case "AUTH":
                        told = base64.b64decode(rest.split()[1]).decode().split("\0")[1:]
                        self.known = ":".join(told) == login
                        self.say("235 welcome" if self.known else f"535 {rest} is wrong")
                    case "MAIL" if not self.known:
                        self.say("530 log in first")
                    case "MAIL" if own.refuse:
                        self.say(own.refuse)
                    case "DATA":
                        self.say("354 go on")
                        lines = []
                        while (line := self.file.readline()) != b".\r\n":
                            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                        letter = message_from_bytes(b"".join(lines), policy=policy.default)
                        own.letters.append(letter)
                        own.was_secure.append(self.secure)
                        self.say("250 taken")
                    case "QUIT":
                        self.say("221 bye")
                        return False
                    case _:
                        self.say("250 ok")
                return True

            def say(self, text: str) -> None:
                self.request.sendall(f"{text}\r\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate of our own for 127.0.0.1: the server's context, and that of a client that trusts it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=loopback", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))
