"""`web serve`, `web login` and `web token`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.core.documents import BadDocument
from rebalancer.core.extras import install_hint

if TYPE_CHECKING:
    from rebalancer.session.setup import Setup
    from rebalancer.web.place import WebPlace


def serve_web(config: Sequence[Path] | None, *, host: str | None, port: int | None) -> int:
    """Serve the API until SIGTERM or SIGINT; then 0."""
    from rebalancer.cli.screen import log_to_stderr
    from rebalancer.ops.notify import Notify

    log_to_stderr()
    notify = Notify.from_environment(os.environ)
    place = _served(config, asked=host is not None or port is not None)
    web = place.rules.web
    _need_extra()
    from rebalancer.web.served import forget_address, tell_address
    from rebalancer.web.server import ListenAddress, serve

    listen = ListenAddress.of(web.listen, "web.listen")
    if host is not None or port is not None:
        text = f"{host or listen.host}:{listen.port if port is None else port}"
        listen = ListenAddress.of(f"[{host}]:{text.rpartition(':')[2]}" if host and ":" in host else text, "--host")
    hooks = None if web.hooks_listen is None else ListenAddress.of(web.hooks_listen, "web.hooks_listen")

    def begun(url: str, hooks_url: str | None) -> None:
        tell_address(place.state, url)
        said = url + (f", hooks: {hooks_url}/hooks" if hooks_url else "") + f" ({place.mode})"
        sys.stderr.write(f"web: {said}\n")
        sys.stderr.write("web: rebalancer web login prints a link for a browser\n")
        sys.stderr.flush()
        notify.ready(said)

    try:
        serve(place, listen, hooks, begun, notify.alive, _others(config))
    finally:
        forget_address(place.state)
    sys.stderr.write("web: stopped; the session is not affected\n")
    notify.stopping("stopped")
    return ExitCode.DONE


def _served(config: Sequence[Path] | None, *, asked: bool) -> WebPlace:
    """What is served. The secrets tell which account it is, as they do to the session, and are not kept."""
    from rebalancer.session.setup import load_setup, refuse_unasked_exchange

    setup = load_setup(config)
    if not setup.rules.web.enabled and not asked:
        raise BadDocument("web.enabled", "is false", "set it to true, or name --host and --port")
    refuse_unasked_exchange(setup)
    return _place(setup)


def token_add(config: Sequence[Path] | None, name: str, scope: str, *, replace: bool) -> int:
    """Print the new token alone on stdout."""
    from rebalancer.ops.clock import SystemClock
    from rebalancer.web.place import TOKENS_NAME
    from rebalancer.web.tokens import add_token

    setup = _setup(config)
    scopes = [word.strip() for word in scope.split(",") if word.strip()]
    text = add_token(setup.state / TOKENS_NAME, name, scopes, SystemClock().wall(), replace=replace)
    sys.stdout.write(f"{text}\n")
    sys.stderr.write("this is shown once; only its hash is kept\n")
    return ExitCode.DONE


def token_list(config: Sequence[Path] | None, *, as_json: bool) -> int:
    """Print names and scopes."""
    from rebalancer.web.place import TOKENS_NAME
    from rebalancer.web.tokens import read_tokens

    tokens = read_tokens(_setup(config).state / TOKENS_NAME)
    if as_json:
        rows = [{"name": t.name, "scopes": list(t.scopes), "created_at": t.created_at} for t in tokens]
        sys.stdout.write(json.dumps({"schema": "rebalancer.web-tokens/1", "tokens": rows}, indent=1) + "\n")
    elif not tokens:
        sys.stdout.write("there is no token yet: rebalancer web token add NAME --scope read\n")
    else:
        sys.stdout.write("".join(f"{t.name}  {','.join(t.scopes)}  {t.created_at}\n" for t in tokens))
    return ExitCode.DONE


def token_remove(config: Sequence[Path] | None, name: str) -> int:
    """Remove one token; 2 when there is none of this name."""
    from rebalancer.web.place import TOKENS_NAME
    from rebalancer.web.tokens import remove_token

    if remove_token(_setup(config).state / TOKENS_NAME, name):
        return ExitCode.DONE
    sys.stderr.write(f"error: there is no token {name!r}\n  hint: rebalancer web token list\n")
    return ExitCode.USAGE


def login(config: Sequence[Path] | None, *, host: str | None, port: int | None) -> int:
    """Print a link that logs a browser in, once. Its code stands behind #, which no server is told."""
    from rebalancer.ops.clock import SystemClock
    from rebalancer.web.logins import LOGINS_NAME, add_code
    from rebalancer.web.served import served_at

    setup = _setup(config)
    url = served_at(setup.state)
    if url is None or host is not None or port is not None:
        if url is None and host is None and port is None:
            sys.stderr.write("no server runs here yet: rebalancer web serve\n")
        text = setup.rules.web.listen
        given = text.rpartition(":")
        url = f"http://{host or given[0]}:{given[2] if port is None else port}"
    code = add_code(setup.state / LOGINS_NAME, SystemClock().wall())
    sys.stdout.write(f"{url}/login#{code}\n")
    sys.stderr.write("it works once, within ten minutes; whoever opens it may read and set the kill switch\n")
    return ExitCode.DONE


def logout(config: Sequence[Path] | None) -> int:
    """End every browser's session and every link that is not used yet."""
    from rebalancer.core.units import amount_of
    from rebalancer.ops.clock import SystemClock
    from rebalancer.web.logins import LOGINS_NAME, end_sessions

    ended = end_sessions(_setup(config).state / LOGINS_NAME, SystemClock().wall())
    sys.stdout.write(f"{amount_of(ended, 'browser session')} ended\n")
    return ExitCode.DONE


def _setup(config: Sequence[Path] | None) -> Setup:
    from rebalancer.session.setup import load_setup

    return load_setup(config)


def _place(setup: Setup) -> WebPlace:
    from rebalancer.journal.read_only import ReadOnlyJournal
    from rebalancer.web.place import WebPlace

    shared = None if isinstance(setup.journal, Path) else ReadOnlyJournal(setup.journal)
    return WebPlace(setup.state, setup.reports, setup.root, setup.mode, setup.rules, shared=shared)


def _others(config: Sequence[Path] | None) -> list[WebPlace]:
    """The accounts of config/desk.yaml, for the page: each a profile with its own state and rules. None when the server
    was asked for one profile."""
    from rebalancer.cli.desk import known_accounts
    from rebalancer.journal.read_only import ReadOnlyJournal
    from rebalancer.ops.paths import PROFILES, state_directory
    from rebalancer.session.setup import load_setup
    from rebalancer.settings.profile import PROFILE
    from rebalancer.web.place import WebPlace

    if os.environ.get(PROFILE, "").strip():
        return []
    found = []
    for name in known_accounts(()):
        setup = load_setup(config, {**os.environ, PROFILE: name})
        state = state_directory() / PROFILES / name / setup.mode
        journal = setup.journal_of(setup.mode, state)
        shared = None if isinstance(journal, Path) else ReadOnlyJournal(journal)
        found.append(WebPlace(state, setup.reports, setup.root, setup.mode, setup.rules, name, shared))
    return found


def _need_extra() -> None:
    from importlib.util import find_spec

    lacking = [name for name in ("fastapi", "prometheus_client", "jinja2") if find_spec(name) is None]
    if lacking:
        raise BadDocument("web", f"needs {' and '.join(lacking)}, which the extra `web` installs", install_hint("web"))
