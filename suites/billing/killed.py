"""What must be true of the money after nodes of the gateway were killed, by kill -9, in the midst of calls of every kind.

A call that the kill cut off may have been billed or not: never more than once, and never what was refused.
"""

from typing import Any, Final

from harness.case import Surface
from harness.exchange import Exchange, StepSeen, StormCall
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.billing.killed_cases import FAILS, POOR, QUOTA_USD
from suites.evidence import conclude, contract_clause, shown
from suites.steps import at, failed, json_of, micro_usd, new_rows

_MICRO: Final = 1_000_000


BOOKS_AGREE = Requirement(
    id="billing/killed-books-agree",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 19", "random request mix, kill and restart: Σ rows = wallet delta"),
    text="After nodes were killed in mid-work, the wallet has lost what the new rows add up to, to the micro-USD.",
    claims=("contract:152", "contract:160"),
    invariants=(2, 19),
)
NOTHING_HELD = Requirement(
    id="billing/killed-holds-return",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 19", "no held balance after the sweep interval, never negative"),
    text="What was held for calls that a kill cut off is back in the wallet when the sweep is over.",
    claims=("contract:160", "contract:161"),
    invariants=(19,),
)
BILLED_ONCE = Requirement(
    id="billing/killed-bills-once",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.2; 4.3, 7 and 19", "each transition once; a crash between upstream success and settle: never-bill wins"),
    text="With nodes killed in mid-work no call is billed twice, and none that was refused or failed at all.",
    claims=("contract:153", "contract:154"),
    invariants=(7, 19),
)
WITHIN_QUOTA = Requirement(
    id="billing/killed-within-quota",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("4.3, 6 and 19", "number of 2xx at most Q/c and spend within Q; never overspent after a kill"),
    text="A key spends no more than its quota, though nodes are killed while it is being spent.",
    claims=("contract:160", "contract:174", "contract:175"),
    invariants=(6, 19),
)


def _storm(exchange: Exchange) -> StepSeen | Inconclusive:
    """The storm, where there was one, nodes were killed in it, and something was billed."""
    if (why := failed(exchange, "made", "small")) is not None:
        return why
    seen = exchange.step("storm")
    if seen.unsent is not None:
        return Inconclusive(f"the storm could not be sent: {seen.unsent}")
    if not seen.storm or not seen.kills:
        return Inconclusive("no node was killed while calls were under way")
    if not _rows(exchange):
        return Inconclusive("nothing was billed")
    return seen


def _rows(exchange: Exchange) -> dict[str, int]:
    """micro-USD by request id."""
    return {request_id: row.cost_micro_usd for request_id, row in new_rows(exchange).items()}


def _story(seen: StepSeen) -> str:
    answered = sum(call.whole for call in seen.storm)
    return f"{len(seen.storm)} calls, {answered} answered to their end, {len(seen.kills)} kills"


def _book(expected: str, got: str) -> Finding:
    return Finding(side=Side.ACCOUNT, step="storm", expected=expected, got=got)


def check_books_agree(exchange: Exchange) -> Verdict:
    seen = _storm(exchange)
    if isinstance(seen, Inconclusive):
        return seen
    if exchange.account is None:
        return Inconclusive("the account was not read")
    billed, lost = sum(_rows(exchange).values()), exchange.account.charged_micro_usd
    wrong = [] if billed == lost else [_book(f"{billed} micro-USD gone, as the rows say", f"{lost} micro-USD")]
    return conclude(wrong, f"{lost} micro-USD in {len(_rows(exchange))} rows; {_story(seen)}")


def check_nothing_held(exchange: Exchange) -> Verdict:
    seen = _storm(exchange)
    if isinstance(seen, Inconclusive):
        return seen
    if (why := failed(exchange, "account")) is not None:
        return why
    step = exchange.step("account")
    document = json_of(step)
    balance: dict[str, Any] = document.get("balance") or {} if isinstance(document, dict) else {}
    names = ("lifetime_topup_usd", "lifetime_spent_usd", "available_usd")
    paid_in, spent, there = (micro_usd(balance.get(name)) for name in names)
    if paid_in is None or spent is None or there is None:
        return conclude([at(step, expected=", ".join(names), got=shown(balance), pointer="/balance")], "")
    findings = []
    if paid_in - spent != there:
        findings.append(at(step, expected=f"{paid_in - spent} micro-USD available", got=f"{there} micro-USD", pointer="/balance"))
    if there < 0:
        findings.append(at(step, expected="no debt", got=f"{there} micro-USD", pointer="/balance/available_usd"))
    return conclude(findings, f"{there} micro-USD there, nothing held; {_story(seen)}")


def check_billed_once(exchange: Exchange) -> Verdict:
    seen = _storm(exchange)
    if isinstance(seen, Inconclusive):
        return seen
    rows = _rows(exchange)
    free = {call.request_id: call for call in seen.storm if _is_free(call) and call.request_id}
    findings = [_book(f"no row of a call that was {_fate(free[name])}", f"{rows[name]} micro-USD") for name in rows if name in free]
    unknown = sum(call.request_id is None for call in seen.storm)
    known = {call.request_id for call in seen.storm if call.request_id}
    strange = [name for name in rows if name not in known]
    if len(strange) > unknown:
        findings.append(_book(f"at most {unknown} rows of calls whose answer never began", f"{len(strange)} rows of no call"))
    return conclude(findings[:5], f"{len(rows)} rows, {len(free)} calls free; {_story(seen)}")


def _is_free(call: StormCall) -> bool:
    """Refused, or failed by its vendor, whatever the caller came to see of that."""
    return call.act in FAILS or (call.status is not None and call.status >= 400)


def _fate(call: StormCall) -> str:
    return f"answered {call.status} ({call.act})"


def check_within_quota(exchange: Exchange) -> Verdict:
    seen = _storm(exchange)
    if isinstance(seen, Inconclusive):
        return seen
    rows, quota = _rows(exchange), round(QUOTA_USD * _MICRO)
    poor = [call for call in seen.storm if call.act.startswith(POOR)]
    served = [call for call in poor if call.status == 200 and call.whole]
    costs = [rows[call.request_id] for call in poor if call.request_id in rows]
    if not costs:
        return Inconclusive("nothing was billed to the key with the quota")
    findings = [] if sum(costs) <= quota else [_book(f"at most {quota} micro-USD", f"{sum(costs)} micro-USD")]
    if len(served) * min(costs) > quota:
        findings.append(_book(f"at most {quota // min(costs)} calls served", f"{len(served)} served"))
    if not findings and len(served) == len(poor):
        return Inconclusive("the quota was not spent")
    return conclude(findings, f"{sum(costs)} of {quota} micro-USD, {len(served)} of {len(poor)} served; {_story(seen)}")


_KILLED: Final = Given(surfaces=frozenset({Surface.CHAT}), steps=True, traits=frozenset({"billing-killed"}))

RULES: tuple[Rule, ...] = (
    Rule(BOOKS_AGREE, check_books_agree, _KILLED),
    Rule(NOTHING_HELD, check_nothing_held, _KILLED),
    Rule(BILLED_ONCE, check_billed_once, _KILLED),
    Rule(WITHIN_QUOTA, check_within_quota, _KILLED),
)
