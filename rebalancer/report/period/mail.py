"""The mail edition: subject, plain text, and HTML that mail programs show as it is.

Gmail cuts a message at about 102 kB and drops scripts, SVG and most style sheets: so tables with inline styles, bars as
coloured cells, no picture, and the page itself as an attachment.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rebalancer.report.attention import Attention
from rebalancer.report.figures.markup import shown_in
from rebalancer.report.numbers import amount_of, fixed, hour_text, money, price, shares
from rebalancer.report.page import environment, fold, tidy
from rebalancer.report.period.figures import counts_of, figures_of
from rebalancer.report.period.names import edition_name
from rebalancer.report.period.page import redacted
from rebalancer.report.period.records import PeriodReport, TradeLine
from rebalancer.report.period.words import attention_of, sentence_of, title_of
from rebalancer.report.summary import needs_text
from rebalancer.report.visible import TEXT_MAX, visible, visible_symbol
from rebalancer.report.words import MODE_MEANING, MODE_NAME, order_word

MAIL_BYTES_MAX: Final = 90_000
TRADES_MAX: Final = 40


class Mail(NamedTuple):
    """One message: its subject has no line break; `attachment` is the file name of the attached page."""

    subject: str
    text: str
    html: str
    attachment: str


def edition_mail(edition: PeriodReport) -> Mail:
    """Write the message about an edition. The same edition gives the same bytes."""
    edition = redacted(edition)
    items = attention_of(edition)
    return Mail(_subject(edition, items), _text(edition, items), _html(edition, items), edition_name(edition) + ".html")


def _subject(edition: PeriodReport, items: tuple[Attention, ...]) -> str:
    """Such as "[PAPER] Day of Fri 2026-11-20: OK, +0.40 %, 12 orders": one per period, so that mail threads stay
    separate."""
    act = sum(item.level == "act" for item in items)
    state = f"{amount_of(act, 'thing needs', 'things need')} you" if act else "OK"
    figures = figures_of(edition)
    parts = [state, *([figures["return"].text] if figures.known("return") else [])]
    parts.append(amount_of(counts_of(edition).orders, "order"))
    return f"[{MODE_NAME[edition.mode]}] {title_of(edition)}: {', '.join(parts)}"


def _text(edition: PeriodReport, items: tuple[Attention, ...]) -> str:
    """The plain-text alternative, readable at 76 columns except where an external text is longer."""
    lines = [f"{MODE_NAME[edition.mode]} {edition.account_id}: {MODE_MEANING[edition.mode]}", title_of(edition), ""]
    lines += [sentence_of(edition, items), ""]
    if items:
        lines += ["NEEDS ATTENTION"]
        for item in items:
            lines += [f"- {'ACT' if item.level == 'act' else 'watch'}: {item.title}", f"  {item.text}"]
            lines += [f"  > {item.command}"] if item.command else []
        lines += [""]
    if edition.trades:
        lines += ["TRADES", *(_trade_text(trade) for trade in edition.trades[:TRADES_MAX])]
        more = len(edition.trades) - TRADES_MAX
        lines += [f"and {amount_of(more, 'more order')} in the attached page", ""] if more > 0 else [""]
    if edition.bridge is not None:
        lines += ["PROFIT AND LOSS, USD", f"{'equity before':<28}{fixed(edition.bridge.opening, 2):>16}"]
        lines += [f"{visible(x.label, 27):<28}{fixed(x.amount, 2, sign=True):>16}" for x in edition.bridge.lines]
        lines += [f"{'unexplained':<28}{fixed(edition.bridge.unexplained, 2):>16}"]
        lines += [f"{'equity now':<28}{fixed(edition.bridge.closing, 2):>16}", ""]
    lines += ["To stop everything: rebalancer kill --cancel", "Not investment advice."]
    return "\n".join(lines) + "\n"


def _trade_text(trade: TradeLine) -> str:
    line = trade.line
    done = f"{shares(line.filled_qty)} of {shares(line.planned_qty)} at {price(line.filled_avg_price)}"
    word = order_word(line.state, line.filled_qty).text
    return f"{hour_text(trade.at)} {line.side:<4} {visible_symbol(line.symbol):<8} {done}: {word}"


def _html(edition: PeriodReport, items: tuple[Attention, ...]) -> str:
    """The HTML part; tables are shortened until it is small enough for every mail program."""
    for most in (TRADES_MAX, 10, 0):
        context = {
            "e": edition,
            "title": title_of(edition),
            "mode_name": MODE_NAME[edition.mode],
            "mode_meaning": MODE_MEANING[edition.mode],
            "sentence": sentence_of(edition, items),
            "summary": needs_text(items),
            "attention": fold(items, max(most, 5)),
            "fig": shown_in(figures_of(edition)),
            "deals": fold([(t, order_word(t.line.state, t.line.filled_qty)) for t in edition.trades], most),
            "text_max": TEXT_MAX,
            "money": money,
        }
        html = tidy(environment().get_template("edition/mail.html.j2").render(context))
        if len(html.encode()) <= MAIL_BYTES_MAX:
            break
    return html
