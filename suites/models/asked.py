"""Which model the vendor is asked for: the recorded answers come however it is called, and some vendors take any name for a model."""

import re
from typing import Any, Final
from urllib.parse import unquote

from harness.case import Case, Client, Route
from harness.exchange import Exchange, Request
from harness.requirement import Basis, Given, Requirement, Rule, Severity
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.evidence import conclude, contract_clause, shown

_FAMILIES: Final = ("claude", "gemini", "deepseek", "gpt")
_IN_PATH: Final = re.compile(r"/models/([^/:]+):")

ASKED = Requirement(
    id="models/asked-of-vendor",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("235, 236", "The model id is sent upstream verbatim; every listed vendor is reached by changing only `model`."),
    text="The vendor is asked for the model that the client named: by that id, or by one that the target says is its vendor's for it.",
    claims=("contract:235", "contract:236"),
)


def _named(request: Request) -> Any:
    """The model of a call to a vendor: Google's protocol has it in the path, the others in the body."""
    if (found := _IN_PATH.search(request.path)) is not None:
        return unquote(found[1])
    return request.json.get("model") if isinstance(request.json, dict) else None


def _family(model: str) -> str | None:
    return next((family for family in _FAMILIES if family in model.lower()), None)


def check_asked(exchange: Exchange) -> Verdict:
    """Where the target says nothing, a vendor's own name for the model may be any; on a native route it is of the same family."""
    if not exchange.upstream or _named(exchange.client.request) is None:
        return Inconclusive("the vendor was not asked, or no model was named")
    names = exchange.promises.get("upstream_ids") or ()
    named = list(dict.fromkeys(_named(hop.request) for hop in exchange.upstream))
    findings = []
    for name in named:
        if not isinstance(name, str) or not name:
            findings.append(_wrong(" or ".join(names) or exchange.model, name))
        elif names and name not in names:
            findings.append(_wrong(" or ".join(names), name))
        elif (
            not names
            and exchange.route is Route.NATIVE
            and None not in (both := {_family(exchange.model), _family(name)})
            and len(both) > 1
        ):
            findings.append(_wrong(f"{exchange.model}, or a name that `upstream_ids` of the target file has for it", name))
    return conclude(findings, f"{', '.join(map(str, named))} for {exchange.model}")


def _wrong(expected: str, got: Any) -> Finding:
    return Finding(side=Side.UPSTREAM, expected=expected, got=shown(got))


def _told_once(case: Case) -> bool:
    """Natively by the raw client alone, to keep a run to thousands of verdicts; not where a case asks for another model than planned."""
    return case.model is None and (case.client is Client.RAW or case.upstream is not None)


RULES: tuple[Rule, ...] = (Rule(ASKED, check_asked, Given(sees_upstream=True, also=_told_once)),)
