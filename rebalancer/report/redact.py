"""Remove account numbers from a record before anything of it is shown or written.

A report is forwarded and published more easily than a journal, so it never contains a complete account number: not in
the account, not in a rule, not quoted inside a message of the broker.
"""

from __future__ import annotations

from rebalancer.core.decisions import Plan, Verdict
from rebalancer.core.facts import Account
from rebalancer.core.reasons import Reasons, stated
from rebalancer.report.numbers import masked
from rebalancer.report.records import OrderLine, ReconciliationLine, RuleChange, RunRecord

QUOTED_LENGTH_MIN = 6  # a shorter account name is a word ("demo") that messages may use in another sense


def redact(record: RunRecord) -> RunRecord:
    """Mask the account ids of a record wherever they occur. Idempotent."""
    names = [record.snapshot.account.id] + ([record.account_after.id] if record.account_after else [])
    names += [str(v) for key, change in record.rules_changed.items() if "account" in key for v in change if _is_name(v)]
    secrets = sorted({n for n in names if len(n) >= QUOTED_LENGTH_MIN and "••••" not in n}, key=len, reverse=True)

    def clean(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, masked(secret))
        return text

    def cleaned(reasons: Reasons) -> Reasons:
        return stated(clean(str(reasons)))

    def verdicts(all_of: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        return tuple(v._replace(because=cleaned(v.because)) for v in all_of)

    def rule(key: str, change: RuleChange) -> RuleChange:
        parts = (
            _mask(v) if "account" in key and _is_name(v) else clean(v) if isinstance(v, str) else v for v in change
        )
        return RuleChange(*parts)

    def plan(plan: Plan) -> Plan:
        return plan._replace(
            because=cleaned(plan.because),
            orders=tuple(o._replace(because=cleaned(o.because)) for o in plan.orders),
            verdicts=verdicts(plan.verdicts),
            unsignalled=verdicts(plan.unsignalled),
            frozen={symbol: cleaned(why) for symbol, why in plan.frozen.items()},
        )

    def order(line: OrderLine) -> OrderLine:
        return line._replace(reason=clean(line.reason), message=clean(line.message))

    return record._replace(
        snapshot=record.snapshot._replace(account=_masked_account(record.snapshot.account)),
        account_after=None if record.account_after is None else _masked_account(record.account_after),
        plan=plan(record.plan),
        orders=tuple(order(line) for line in record.orders),
        verdicts=verdicts(record.verdicts),
        because=clean(record.because),
        reconciled=tuple(ReconciliationLine(symbol, kind, clean(text)) for symbol, kind, text in record.reconciled),
        rules_changed={key: rule(key, change) for key, change in record.rules_changed.items()},
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _mask(value: object) -> str:
    text = str(value)
    return text if text.startswith("••••") else masked(text)


def _masked_account(account: Account) -> Account:
    return account._replace(id=_mask(account.id))
