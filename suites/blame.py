"""Whose fault a finding is: the gateway's, or the vendor's whose bytes it passed on."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from harness.case import Route
from harness.exchange import Exchange
from harness.verdict import Failed, Inconclusive, Verdict

Check = Callable[[Exchange], Verdict]


def gateway_only(check: Check) -> Check:
    """The check, except that on a native route the gateway is not blamed for what the vendor's own answer fails with as well.

    Where there was no gateway at all, a failure stays one: then it is the check that is wrong about vendors.
    """

    @wraps(check)
    def judged(exchange: Exchange) -> Verdict:
        verdict = check(exchange)
        if not isinstance(verdict, Failed) or exchange.promises.get("no_gateway"):
            return verdict
        vendors = _as_the_vendor_sent_it(exchange)
        if vendors is not None and isinstance(check(vendors), Failed):
            return Inconclusive(f"the upstream sent it so: {verdict.findings[0]}")
        return verdict

    return judged


def _as_the_vendor_sent_it(exchange: Exchange) -> Exchange | None:
    """The exchange with the upstream's last answer in the place of the client's; None where the two speak different protocols."""
    if exchange.route is not Route.NATIVE or not exchange.upstream or exchange.upstream[-1].response is None:
        return None
    return replace(exchange, client=replace(exchange.client, response=exchange.upstream[-1].response))
