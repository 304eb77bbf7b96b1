"""`init`: the files and folders that a new project needs, and at a terminal a few questions."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.project_files import KEYS, PROJECT_FILES, WRITTEN, mode_of, shipped, write_interpreter
from rebalancer.cli.screen import warn

RULES: Final = "config/execution.yaml"
NEXT: Final = f"""\
  rebalancer run-now --dry-run    what it would do
  rebalancer run-now              do it, and write reports/latest.html
  ./start_execution_trading.sh    from now on every trading day
  samples/README.md               the forms of signals and target weights
Your Alpaca paper account: write its keys into {KEYS}, then
  mv {KEYS} ~/.config/
"""
ATTEMPTS: Final = 3  # wrong answers before the default is taken


class Question(NamedTuple):
    """One question: its text with the possible answers, the key that it sets, the answer that Enter gives, and what
    turns an answer into the value in YAML; a ValueError says what is wrong with it."""

    text: str
    key: str
    default: str
    value_of: Callable[[str], str]


def write_project(directory: Path) -> int:
    """Write config/, signals/, samples/, reports/, the scripts and their units below the folder. Files that are there
    stay as they are.

    At a terminal, and without --yes, at most eight questions set keys of a new config/execution.yaml.
    """
    from rebalancer.cli.sample_files import SAMPLES

    for folder in ("signals", "reports", "samples"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    files = {name: shipped(name) for name in PROJECT_FILES}
    if not (directory / RULES).exists():
        files[RULES] = with_answers(files[RULES], asked())
    for name, text in (files | WRITTEN | {f"samples/{name}": text for name, text in SAMPLES.items()}).items():
        target = directory / name
        if os.path.lexists(target):
            sys.stderr.write(f"kept:    {target}\n")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "x", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
        target.chmod(mode_of(name))
        sys.stdout.write(f"written: {target}\n")
    write_interpreter(directory)
    go = "" if directory == Path() else f"  cd {shlex.quote(str(directory))}\n"
    sys.stderr.write(f"next:\n{go}{NEXT}")
    return ExitCode.DONE


def asked() -> dict[str, str]:
    """The answers by key, of a person at a terminal; none without a terminal or with --yes. An answer that changes
    nothing is left out; the end of the input leaves the remaining defaults."""
    from rebalancer.settings.live_trading import COMMAND_LINE

    said = COMMAND_LINE.get()
    if (said is not None and said.yes) or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return {}
    sys.stderr.write("Enter takes the value in brackets. Everything can be changed later:\nconfig/execution.yaml.\n")
    answers = {}
    for question in QUESTIONS:
        answer = _answer(question)
        if answer is None:
            sys.stderr.write("\n")
            break
        if answer != question.value_of(question.default):
            answers[question.key] = answer
    return answers


def with_answers(text: str, answers: dict[str, str]) -> str:
    """The rules file with these values; comments stay where they are."""
    for key, value in answers.items():
        section, _, name = key.partition(".")
        pattern = rf"(?ms)(^{section}:.*?^  {name}: )([^#\n]*?)( *)(#|$)"

        def put(found: re.Match[str], value: str = value) -> str:
            room = len(found[2]) + len(found[3])
            return f"{found[1]}{value:<{max(room - 1, 0)}} {found[4]}"

        text, changed = re.subn(pattern, put, text, count=1)
        assert changed, f"{key} is not in the shipped rules"
    return text


def _answer(question: Question) -> str | None:
    """The value for one question; None at the end of the input."""
    for _ in range(ATTEMPTS):
        sys.stderr.write(f"\n{question.text}\n[{question.default}] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return None
        try:
            return question.value_of(line.strip() or question.default)
        except ValueError as error:
            hint = getattr(error, "hint", "")
            warn([f"{error}: {hint}" if hint else str(error)])
    sys.stderr.write(f"  {question.default} is taken\n")
    return question.value_of(question.default)


def _choice(**values: str) -> Callable[[str], str]:
    def value_of(answer: str) -> str:
        word = answer.lower()
        found = [values[name] for name in values if name.startswith(word)]
        if len(found) != 1:
            raise ValueError(f"write {' or '.join(values)}")
        return found[0]

    return value_of


def _leverage(answer: str) -> str:
    if not re.fullmatch(r"\d(\.\d{1,3})?", answer) or not 0 < float(answer) <= 4:
        raise ValueError("a number above 0, at most 4, such as 1 or 2.0")
    return str(float(answer))


def _schedule(answer: str) -> str:
    from rebalancer.core.schedule import schedule_of

    schedule_of(answer, 5, 60)
    return answer


def _address(answer: str) -> str:
    if answer == "nobody":
        return '""'
    if not re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", answer):
        raise ValueError("an address such as you@example.com, or nobody")
    return answer


def _symbols(answer: str) -> str:
    from rebalancer.core.values import symbol_of

    if answer == "none":
        return "[]"
    try:
        names = [symbol_of(name.strip()) for name in answer.split(",")]
    except ValueError as error:
        raise ValueError(f"{error}; write AAPL,MSFT or none") from None
    return "[" + ", ".join(f'"{name}"' for name in dict.fromkeys(names)) + "]"


QUESTIONS: Final = (
    Question(
        "Where does it trade? embedded: a paper exchange on this machine, no account\n"
        "needed; alpaca: your Alpaca paper account; auto: there once a key is set.",
        "broker.kind", "auto", _choice(auto="auto", embedded="embedded", alpaca="alpaca"),
    ),
    Question(
        "On what? sample: bundled signals, on the embedded exchange and until there are\n"
        "files of yours in signals/; own: on your files alone.",
        "signals.sample", "sample", _choice(sample="auto", own="never"),
    ),
    Question(
        "Which symbols may vendors and a model be asked about? AAPL,MSFT or none; what is\n"
        "held or signalled is asked about anyway.",
        "signals.universe", "none", _symbols,
    ),
    Question(
        "Leverage: capital is equity times this, and up to 80 % of it is invested.\n"
        "2.0: positions up to 1.6 x equity, on borrowed money, so losses grow as well.\n"
        "1.0: up to 0.8 x equity, nothing borrowed.",
        "position_sizing.capital_scaling", "2.0", _leverage,
    ),
    Question(
        "When, in New York? every 5m, daily 15:45, weekly last 15:45,\n"
        "monthly first 10:00, drift 0.05 (when weights are off by that much).",
        "execution.schedule", "every 5m", _schedule,
    ),
    Question("Fractions of shares: yes or no?", "position_sizing.fractional", "no", _choice(yes="true", no="false")),
    Question(
        "Stops at 3 % and targets at 5 % from the entry? monitor: this program watches\n"
        "and sells; broker: orders that rest there; off.",
        "protection.mode", "monitor", _choice(monitor="monitor", broker="broker", off="off"),
    ),
    Question(
        "Who gets the daily message and the alerts by e-mail? An address, or nobody.",
        "alerts.email_to", "nobody", _address,
    ),
)  # fmt: skip
