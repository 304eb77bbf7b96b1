"""The pages for people: the live page, what is a click away, log in and log out, and the two things that it can do.

Nothing here trades. A form is taken from a page of this server only (`gate.py`); no script stands in a page.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from rebalancer.core.values import symbol_of, time_text
from rebalancer.ops.clock import SystemClock
from rebalancer.report.archive import past_record, planned_anew
from rebalancer.report.live.document import live_document
from rebalancer.report.live.page import (
    STATIC,
    edition,
    explain_page,
    history_page,
    live_page,
    login_page,
    static_text,
)
from rebalancer.report.page import html_of
from rebalancer.report.symbol_lookup import remembered
from rebalancer.web.bodies import read_body
from rebalancer.web.context import Context, Killer, Reader, WebContext, token_of
from rebalancer.web.gate import STATIC as STATIC_PATH
from rebalancer.web.kill import set_kill_switch
from rebalancer.web.logins import cookie_name, end_sessions, redeem
from rebalancer.web.place import WebPlace
from rebalancer.web.problems import HttpProblem, documented
from rebalancer.web.reports import POLICY as REPORT_POLICY
from rebalancer.web.reports import report_response

router: Final = APIRouter(include_in_schema=False)
api: Final = APIRouter()
PUBLIC: Final = ("/", "/login")
FORM_BYTES_MAX: Final = 16 * 1024
CYCLES_SHOWN: Final = 300
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)  # bars and labels are placed by style attributes
HEADERS: Final = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}  # else Origin is null


@router.get("/")
async def start(context: Context, request: Request) -> Response:
    """The live page; for who is not logged in, how to log in."""
    token = token_of(request)
    if token is None or "read" not in token.scopes:
        return _html(login_page())
    view = await context.board.view()
    follows = context.shown[0] is context.place
    return _html(await asyncio.to_thread(live_page, view, follows=follows))


@router.api_route("/live/parts", methods=["GET", "HEAD"])
async def parts(
    context: Context, _: Reader, if_none_match: Annotated[str | None, Header(max_length=200)] = None
) -> Response:
    """The parts of the live page, 304 while nothing but time has passed."""
    found = await context.board.parts()
    headers = {
        **HEADERS,
        "ETag": found.etag,
        "Live-Now": ",".join(time_text(account.now) for account in found.view.accounts),
        "Live-Edition": edition(),
    }
    if if_none_match == found.etag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(found.html, headers=headers)


@api.get("/api/v1/live", responses=documented())
async def live(context: Context, _: Reader) -> JSONResponse:
    """What the live page shows, as a document: state, needs, figures, positions, orders, signals, limits, alarms."""
    view = await context.board.view()
    return JSONResponse(await asyncio.to_thread(live_document, view))


@router.get("/history")
def history(context: Context, _: Reader, account: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The newest cycles, with the reports that this server shows."""
    place = _shown(context, account)
    cycles = place.journal.cycles(None, CYCLES_SHOWN) if place.journal.is_created else ()
    return _html(history_page(cycles, lambda page: place is context.place and (place.reports / page).is_file()))


@router.get("/explain/{symbol:path}")
def explain(
    context: Context,
    _: Reader,
    symbol: Annotated[str, InPath(max_length=40)],
    cycle: Annotated[str | None, Query(max_length=120)] = None,
    account: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """The reasons for one symbol in one cycle, the newest planned one by default."""
    place = _shown(context, account)
    try:
        name = symbol_of(symbol)
    except ValueError as error:
        raise HttpProblem(422, str(error)) from None
    journal = place.journal
    record = past_record(journal, cycle) if journal.is_created else None
    if record is None:
        raise HttpProblem(404, "there is no such planned cycle")
    known = remembered(journal, place.state, record.snapshot.account.id, record.plan.cycle_id, name)
    return _html(explain_page(name, record, known))


@router.get("/reports")
@router.get("/reports/")
def reports(_: Reader) -> Response:
    """The list of reports."""
    return RedirectResponse("/reports/index.html", 303)


@router.get("/reports/{name:path}")
def report(context: Context, _: Reader, name: Annotated[str, InPath(max_length=130)]) -> Response:
    """One report page, which has no script and may not have one."""
    return report_response(context.place.reports, name, sandbox=False)


@router.get(f"{STATIC_PATH}{{name}}")
def static(name: Annotated[str, InPath(max_length=40)]) -> Response:
    """The style and the scripts of the pages."""
    if name not in STATIC:
        raise HttpProblem(404, "there is no such file")
    return Response(static_text(name), media_type=f"{STATIC[name]}; charset=utf-8")


# who is logged in


@router.get("/login")
def login() -> Response:
    """How to log in; a link's code is posted from here."""
    return _html(login_page())


@router.post("/login")
async def log_in(context: Context, request: Request) -> Response:
    """Exchange the code of a one-time link for a cookie."""
    code = (await _form(request)).get("code", "").strip()
    now = SystemClock().wall()
    text = await asyncio.to_thread(redeem, context.logins, code, now) if code else None
    if text is None:
        return _html(login_page("This code is unknown, used or too old: rebalancer web login prints a new link."), 403)
    is_secure = request.headers.get("origin", "").startswith("https://")
    answer = RedirectResponse("/", 303, headers=HEADERS)
    name = cookie_name(request.headers["host"], is_secure=is_secure)
    answer.set_cookie(name, text, httponly=True, samesite="strict", secure=is_secure, path="/")
    return answer


@router.post("/logout")
async def log_out(context: Context, request: Request, token: Reader) -> Response:
    """End this browser's session."""
    await asyncio.to_thread(end_sessions, context.logins, SystemClock().wall(), token.sha256)
    answer = RedirectResponse("/login", 303, headers=HEADERS)
    for is_secure in (True, False):
        name = cookie_name(request.headers["host"], is_secure=is_secure)
        answer.delete_cookie(name, httponly=True, samesite="strict", secure=is_secure, path="/")
    return answer


# what a page can do


@router.post("/actions/kill")
async def kill(context: Context, request: Request, token: Killer) -> Response:
    """Set the kill switch."""
    form = await _form(request)
    await asyncio.to_thread(set_kill_switch, _place(context, form), form.get("reason", ""), token)
    return RedirectResponse("/", 303, headers=HEADERS)


@router.post("/actions/plan")
async def plan(context: Context, request: Request, _: Reader) -> Response:
    """Plan the newest stored snapshot with the rules of this server, and show it as the page of a dry run."""
    place = _place(context, await _form(request))
    page = await asyncio.to_thread(_planned, place)
    return HTMLResponse(page, headers={"Content-Security-Policy": REPORT_POLICY})


def _planned(place: WebPlace) -> str:
    journal = place.journal
    cycles = journal.cycles(None, 1000) if journal.is_created else ()
    newest = next((cycle for cycle in cycles if cycle.plan_sha256 is not None), None)
    if newest is None:
        raise HttpProblem(404, "no snapshot is stored yet")
    return html_of(planned_anew(journal, newest, place.rules))


def _place(context: WebContext, form: dict[str, str]) -> WebPlace:
    number = form.get("account", "0")
    return _shown(context, int(number) if number.isascii() and number.isdigit() and len(number) < 5 else -1)


def _shown(context: WebContext, number: int) -> WebPlace:
    """One of the accounts of the page. Raises HttpProblem 404."""
    if not 0 <= number < len(context.shown):
        raise HttpProblem(404, "there is no such account")
    return context.shown[number]


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpProblem(415, "send a form")
    body = await read_body(request, FORM_BYTES_MAX)
    try:
        found = parse_qs(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=20)
    except ValueError:
        raise HttpProblem(400, "the form cannot be read") from None
    return {name: values[-1] for name, values in found.items()}


def _html(text: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(text, status, headers=HEADERS)
