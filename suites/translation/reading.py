"""Both sides of a translated answer as transcripts, each read from its own bytes by the harness alone, and what differs between them."""

from dataclasses import replace

from harness.case import Route
from harness.exchange import Exchange
from harness.route_losses import OnRoute
from harness.transcript import Transcript, canonical, of_sdk
from harness.transcript_oracle import compare, failed, heard
from harness.upstream.forced import forced_tool
from harness.verdict import Finding


class Told:
    """One exchange's two sides. `said`: by the upstream; `got`: by the client; `findings`: what differs beside the declared losses."""

    def __init__(self, exchange: Exchange, said: Transcript, got: Transcript) -> None:
        self.exchange = exchange
        self.said = said
        self.got = got
        self.findings = _compared(exchange, said, got)

    @property
    def whole(self) -> bool:
        """Whether the upstream's answer is one."""
        return failed(self.said) is None

    def about(self, *members: str) -> list[Finding]:
        """The findings that are about these members of a transcript, such as `text`, `calls` or `usage`."""
        return [finding for finding in self.findings if finding.pointer and finding.pointer.split("/")[1] in members]


_last: list[Told] = []  # one exchange is judged by many rules, one after the other


def told(exchange: Exchange) -> Told | None:
    """None where nothing was translated: on a native route, or where one of the sides gave no successful answer."""
    if _last and _last[0].exchange is exchange:
        return _last[0]
    response = exchange.client.response
    answer = exchange.upstream[-1].response if exchange.upstream else None
    if exchange.route is not Route.TRANSLATED or response is None or answer is None or not answer.ok or not response.ok:
        return None
    got = heard(exchange.case.surface, response.text, as_client=True)
    made = Told(exchange, _unforced(exchange, heard(exchange.upstream_surface, answer.text), got), got)
    _last[:] = [made]
    return made


def _unforced(exchange: Exchange, said: Transcript, got: Transcript) -> Transcript:
    """Where the gateway forced a tool on the model to have JSON of it, the call is the answer's text, in any spelling."""
    play = exchange.case.play
    asked = exchange.client.request.json
    own = isinstance(asked, dict) and bool(asked.get("tools"))  # then the client may have forced one itself
    forced = play is not None and play.if_forced is not None and not own
    tool = forced_tool(exchange.upstream[-1].request.body) if forced else None
    call = next((call for call in said.calls if call.name == tool), None)
    if call is None:
        return said
    calls = tuple(other for other in said.calls if other is not call)
    text = got.text if canonical(got.text) == canonical(call.arguments) else call.arguments
    return replace(said, text=text, calls=calls, order=("text",), stop="tools" if calls else "end")


def read_by_sdk(exchange: Exchange, said: Transcript) -> tuple[Finding, ...] | None:
    """What the official SDK's own reading lacks of what the upstream said; None where it read nothing."""
    read = of_sdk(exchange)
    return None if read is None else _compared(exchange, said, read)


def _compared(exchange: Exchange, said: Transcript, got: Transcript) -> tuple[Finding, ...]:
    client, upstream = exchange.case.surface, exchange.upstream_surface
    losses = OnRoute.of(exchange.promises, client, upstream).answers
    return compare(said, got, upstream=upstream, client=client, losses=losses)
