"""A mutant applied to a stored exchange: no proxy, no gateway, microseconds."""

from dataclasses import replace

from harness.exchange import Exchange, Hop, Read, Request, Response, Undecodable
from harness.mutation.mutant import Answer, Ask, Leg, Mutant


def apply(mutant: Mutant, exchange: Exchange) -> Exchange | None:
    """The exchange as it would have been with the faulty gateway; None where the mutant needs live traffic or changes nothing."""
    if mutant.answer is not None and exchange.client.response is not None:
        changed = _answered(mutant, exchange.client)
        return None if changed is exchange.client else replace(exchange, client=changed, sdk=None)
    if mutant.ask is not None and mutant.leg is Leg.UPSTREAM and exchange.upstream:
        *earlier, last = exchange.upstream
        sent = last.request
        ask = mutant.ask(Ask(method=sent.method, target=sent.target, headers=sent.headers, body=sent.body))
        request = Request(method=ask.method, target=ask.target, headers=ask.headers, body=ask.body, at_ms=sent.at_ms)
        return None if request == sent else replace(exchange, upstream=(*earlier, replace(last, request=request)))
    return None


def _answered(mutant: Mutant, hop: Hop) -> Hop:
    response = hop.response
    if response is None or mutant.answer is None:
        return hop
    try:
        body = response.body
    except Undecodable:
        return hop
    asked = Ask(method=hop.request.method, target=hop.request.target, headers=hop.request.headers, body=hop.request.body)
    before = Answer(status=response.status, headers=response.headers, body=body, ask=asked)
    after = mutant.answer(before)
    if after == before:
        return hop
    plain = tuple(pair for pair in after.headers if pair[0].lower() not in ("content-encoding", "content-length", "transfer-encoding"))
    at_ms = response.reads[-1].at_ms if response.reads else 0
    return replace(
        hop,
        response=Response(
            status=after.status,
            headers=plain,
            reads=(Read(at_ms=at_ms, data=after.body),),
            end=response.end,
            at_ms=response.at_ms,
            end_ms=response.end_ms,
        ),
    )
