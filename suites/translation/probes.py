"""What translators were seen to get wrong and no comparison of two transcripts shows: ids, counts at the start, addresses, sessions."""

import json
import re
from typing import Any, Final

from harness.asked import read
from harness.case import Case, Dialect, Outcome, Surface
from harness.exchange import Exchange, Response, value, values
from harness.excuse import STOOD_STILL_MS
from harness.requirement import Basis, Clause, Given, Requirement, Rule, Severity
from harness.transcript import CallKind
from harness.transcript_oracle import heard
from harness.verdict import Finding, Inconclusive, Side, Verdict
from suites.errors.reading import error_event
from suites.evidence import at as at_event
from suites.evidence import conclude, contract_clause, shown
from suites.messages.reading import object_of
from suites.steps import at, failed, header, json_of, new_rows, row_of, unmet

_CALL_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PREFIXES: Final = {"message": "msg_", "function_call": "fc_", "reasoning": "rs_"}
_SAME: Final = frozenset({400, 404, 413, 429})  # a vendor's refusals that are the caller's own affair, or tell it to wait
_MOST_STILL_MS: Final = 1000  # so long may nothing come while the vendor writes
_BETAS: Final = ("betas", "anthropic_beta")


START_COUNTS = Requirement(
    id="translation/start-counts-input",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages-streaming",
        section="message_start",
        says="usage.input_tokens: the number of input tokens, from which clients show how full the context is",
    ),
    text="A Messages stream that is made from another protocol begins with a count of the prompt, by an estimate if need be.",
    defects=(
        "router-for-me/CLIProxyAPI#1700",
        "sgl-project/sglang#20678",
        "BerriAI/litellm#41406",
        "lidge-jun/opencodex#4891",
        "raine/claude-code-proxy#86",
        "getpaseo/paseo#4294",
    ),
)
CALL_IDS = Requirement(
    id="translation/call-ids-replayable",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="tool_use", says="id matches ^[a-zA-Z0-9_-]+$"),
    text="The id of a call on a translated Messages route is one that Messages takes back: letters, digits, _ and -, at most 64.",
    defects=("BerriAI/litellm#25561",),
)
ITEM_IDS = Requirement(
    id="translation/item-ids-by-kind",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(
        source="openai-responses", section="output, id", says="ids of messages begin with msg_, of calls with fc_, of reasoning with rs_"
    ),
    text="Output items on a translated Responses route have ids that begin as their kind's do, so that they can be sent back.",
    defects=("BerriAI/litellm#37946", "BerriAI/litellm#28692"),
)
NOT_FETCHED = Requirement(
    id="translation/no-address-fetched",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("1.5", "images by address: not fetched by the gateway unless configured"),
    text="No gateway fetches an address of its own machine or network because a caller's picture is said to stand there.",
    defects=("songquanpeng/one-api#2387", "kyegomez/swarms#1714"),
)
COUNT_GROWS = Requirement(
    id="translation/count-tokens-grows",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="Count tokens",
        says="input_tokens: the total number of tokens across messages, system and tools",
    ),
    text="For a model of another vendor, too, a count of tokens is more than 0 and grows with the text.",
    defects=("lbjlaq/Antigravity-Manager#3295",),
)
LIMIT_INSIDE = Requirement(
    id="translation/rate-limit-inside",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=Clause(source="openai-errors", section="429", says="Rate limit reached for requests: pace your requests"),
    text="A rate limit that the upstream tells in the body of a 5xx reaches the client as a 429, or another upstream answers.",
    defects=("BerriAI/litellm#30417",),
)
STATUS_FIRST = Requirement(
    id="translation/status-before-stream",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("203 to 207", "upstream errors are surfaced with their status"),
    text="An upstream's refusal of a stream is answered by its status and an error body, never by a 200 with the error inside.",
    defects=("Oaklight/llm-rosetta#345",),
)
NO_BETAS = Requirement(
    id="translation/no-foreign-betas",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-versions", section="Beta headers", says="anthropic-beta names features of Anthropic's API"),
    text="What a Messages client switches on by anthropic-beta is not told to an upstream of another protocol, in header or body.",
    defects=("envoyproxy/ai-gateway#2411", "envoyproxy/ai-gateway#2420"),
)
BETAS_AGREE = Requirement(
    id="translation/betas-agree",
    severity=Severity.SILENT_WRONG,
    basis=Basis.OBSERVED,
    clause=Clause(source="anthropic-versions", section="Beta headers", says="anthropic-beta: a list of features"),
    text="Where betas go upstream in a header and in the body, both lists are the same.",
    defects=("maximhq/bifrost#2411",),
)
KEYS_APART = Requirement(
    id="translation/cache-keys-apart",
    severity=Severity.COST,
    basis=Basis.OBSERVED,
    clause=Clause(source="openai-responses", section="prompt_cache_key", says="Used by OpenAI to cache responses for similar requests"),
    text="Two sessions of one user are not given one prompt_cache_key, under which they would push each other out of the cache.",
    defects=("BerriAI/litellm#40342", "BerriAI/litellm#37623"),
)
SYSTEM_ALONE = Requirement(
    id="translation/system-alone",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="messages", says="at least one message is required; system is a member of its own"),
    text="A request with a system message alone is answered: the upstream gets its text and at least one message.",
    defects=("maximhq/bifrost#3200",),
)
STREAMS_GO_ON = Requirement(
    id="translation/streams-while-counting",
    severity=Severity.BREAKS_SDK,
    basis=Basis.OBSERVED,
    clause=Clause(source="rfc-9110", section="7.6", says="an intermediary forwards messages as they come"),
    text="A stream goes on while the tokens of a long text are being counted for somebody else.",
    defects=("BerriAI/litellm#36429",),
)
USAGE_APART = Requirement(
    id="translation/usage-apart",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause(
        "C27", "usage frame: a separate chunk, choices: []; other chunks usage: null when requested, no usage key otherwise"
    ),
    text="In a translated chat stream usage comes in a chunk of its own, with no choice in it, and only where it was asked for.",
    claims=("contract:144",),
)
NULL_BESIDE_CALLS = Requirement(
    id="translation/null-beside-calls",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("74", "`content` is null when the model emits tool calls."),
    text="A translated chat answer that calls tools and says nothing has null for its content, not an empty text.",
    claims=("contract:74",),
)
COMES_BACK = Requirement(
    id="translation/reasoning-comes-back",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="Preserving thinking blocks",
        says="during tool use, the thinking blocks must be passed back; other vendors ask the same of theirs",
    ),
    text="A client that hands back a call by its id alone does not cost the model its thought: the upstream gets its proof again.",
)
REDACTED_BACK = Requirement(
    id="translation/redacted-thinking-comes-back",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-thinking",
        section="Thinking redaction",
        says="redacted_thinking blocks are passed back to the API unchanged, as the thinking blocks are",
    ),
    text="A thought that nobody can read goes back to who made it, too, before the call that a plain client hands back alone.",
)
TEXT_SIGNED = Requirement(
    id="translation/text-signature-comes-back",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="gemini-generate-content",
        section="Part, thoughtSignature",
        says="An opaque signature for the thought so it can be reused in subsequent requests",
    ),
    text="A text that Gemini signed goes back to it with its signature, once, though the client hands back the text alone.",
)
NOT_OF_OTHERS = Requirement(
    id="translation/reasoning-apart",
    severity=Severity.SECURITY,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("30", "what one key's calls leave behind is no other key's"),
    text="Whoever learns the id of another account's call does not get that call's thought into a request of its own.",
)
NAMES_BACK = Requirement(
    id="translation/tool-names-given-back",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages", section="tools, name", says="a tool's name matches ^[a-zA-Z0-9_-]{1,128}$; others take 64 characters"
    ),
    text="A tool whose name the upstream does not take goes there by another, and the client's call has the name that it gave.",
)
SWITCHED_OFF = Requirement(
    id="translation/thinking-switched-off",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="deepseek-thinking", section="Thinking mode", says="on by default; thinking.type: disabled switches it off"),
    text="A client that wants no thinking has it switched off, or as low as it goes, at a vendor that thinks unless told otherwise.",
    defects=("8monkey-ai/hebo-gateway#97",),
)
NOT_FORCED = Requirement(
    id="translation/no-call-forced",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-chat", section="tool_choice", says="auto is the default if tools are present"),
    text="Where the client chose nothing, the model is free to call or not.",
    defects=("mozilla-ai/any-llm#1292",),
)
TOGETHER = Requirement(
    id="translation/results-together",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(
        source="anthropic-messages",
        section="tool_result",
        says="results of parallel calls are all in the one user message after them, and first in its content",
    ),
    text="All results of a turn's calls stand in the one message after it, before anything else that the user says.",
    defects=("anthony-chaudhary/fak#5797",),
)
NO_PROSE = Requirement(
    id="translation/prose-is-no-json",
    severity=Severity.SILENT_WRONG,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="openai-chat", section="response_format", says="ensures the model will match your supplied JSON schema"),
    text="Where the client asked for JSON by a schema and the upstream gave prose, the client is told of a failure.",
)
HOSTED_APART = Requirement(
    id="translation/hosted-calls-apart",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="anthropic-messages", section="server_tool_use", says="the vendor runs it and has the result in the same answer"),
    text="What the vendor's own tools did is not told as a call that the client has to answer.",
)
AS_IT_COMES = Requirement(
    id="translation/as-it-comes",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=Clause(source="rfc-9112", section="7.1 Chunked Transfer Coding", says="a sender may transfer content as it becomes known"),
    text="A translated stream is a stream: its first words reach the client before the upstream has said its last.",
)
IMAGE_BY_ADDRESS = Requirement(
    id="translation/image-by-address",
    severity=Severity.COST,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("159, 208", "an undeliverable asset counts as a failure; failures never bill"),
    text="An image that the vendor gives by address is delivered and billed once, or the call fails and costs nothing.",
    claims=("contract:159",),
    defects=("theopenco/llmgateway#1762",),
)
IMAGE_LINKED = Requirement(
    id="translation/image-linked-by-default",
    severity=Severity.BREAKS_SDK,
    basis=Basis.DOCUMENTED,
    clause=contract_clause("210", "images.generate(model, prompt, size, n): data[0].url present"),
    text="Where the client does not say how it wants an image, it gets a link in data[0].url, whatever the vendor itself sends.",
    claims=("contract:210",),
    defects=("diegosouzapw/OmniRoute#9932", "use-agent-os/agent-os#2570"),
)


def _translated(surface: Surface) -> Given:
    def also(case: Case) -> bool:
        return case.upstream is not None and case.upstream.surface is not surface

    return Given(surfaces=frozenset({surface}), also=also)


def check_start_counts(exchange: Exchange) -> Verdict:
    for seen in exchange.client_events:
        if isinstance(seen.data, dict) and seen.data.get("type") == "message_start":
            message = seen.data.get("message")
            usage = message.get("usage") if isinstance(message, dict) else None
            counts: list[int] = [usage[name] for name in _PROMPT if type(usage.get(name)) is int] if isinstance(usage, dict) else []
            wrong = [at_event(seen, expected="a count above 0", got=shown(usage), pointer="/message/usage")] if sum(counts) <= 0 else []
            return conclude(wrong, f"{sum(counts)} tokens at the start")
    return Inconclusive("no message_start reached the client")


_PROMPT: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def _blocks(exchange: Exchange) -> list[tuple[str, dict[str, Any]]]:
    """The blocks of a Messages answer, each with its pointer or place."""
    response = exchange.client.response
    if response is None or not response.ok:
        return []
    if response.is_sse:
        starts = [
            seen.data for seen in exchange.client_events if isinstance(seen.data, dict) and seen.data.get("type") == "content_block_start"
        ]
        return [(f"/content/{place}", block) for place, start in enumerate(starts) if isinstance(block := start.get("content_block"), dict)]
    body = response.json
    content = body.get("content") if isinstance(body, dict) else None
    return [(f"/content/{place}", block) for place, block in enumerate(content or ()) if isinstance(block, dict)]


def check_call_ids(exchange: Exchange) -> Verdict:
    calls = [(pointer, block.get("id")) for pointer, block in _blocks(exchange) if block.get("type") == "tool_use"]
    findings = [
        Finding(expected="at most 64 letters, digits, _ and -", got=shown(name), pointer=f"{pointer}/id")
        for pointer, name in calls
        if not (isinstance(name, str) and _CALL_ID.fullmatch(name))
    ]
    return conclude(findings, f"{len(calls)} ids that can be sent back") if calls else Inconclusive("no call reached the client")


def check_item_ids(exchange: Exchange) -> Verdict:
    items = [(pointer, item, _PREFIXES[item["type"]]) for pointer, item in _items(exchange) if item.get("type") in _PREFIXES]
    findings = [
        Finding(expected=f"{prefix}…", got=shown(item.get("id")), pointer=f"{pointer}/id")
        for pointer, item, prefix in items
        if not (isinstance(item.get("id"), str) and item["id"].startswith(prefix))
    ]
    return conclude(findings, f"{len(items)} items") if items else Inconclusive("no item reached the client")


def _items(exchange: Exchange) -> list[tuple[str, dict[str, Any]]]:
    """The output items of a Responses answer, and in a stream those of its last event and each one that was announced."""
    response = exchange.client.response
    if response is None or not response.ok:
        return []
    if not response.is_sse:
        return _output(response.json, "")
    found = []
    for seen in exchange.client_events:
        if not isinstance(seen.data, dict):
            continue
        if isinstance(item := seen.data.get("item"), dict):
            found.append((f"event {seen.frame}/item", item))
        found += _output(seen.data.get("response"), f"event {seen.frame}/response")
    return found


def _output(response: Any, pointer: str) -> list[tuple[str, dict[str, Any]]]:
    output = response.get("output") if isinstance(response, dict) else None
    return [(f"{pointer}/output/{place}", item) for place, item in enumerate(output or ()) if isinstance(item, dict)]


def check_not_fetched(exchange: Exchange) -> Verdict:
    if exchange.client.response is None:
        return Inconclusive("the client got no answer")
    fetched = [hop for hop in exchange.upstream if hop.request.method != "POST"]
    findings = [Finding(side=Side.UPSTREAM, expected="no visitor", got=f"{hop.request.method} {hop.request.target}") for hop in fetched]
    return conclude(findings, f"nobody came; answered {exchange.client.response.status}")


def check_count_grows(exchange: Exchange) -> Verdict:
    names = ("short", "longer", "longest")
    if (why := failed(exchange, *names)) is not None:
        return why
    findings, before = [], 0
    for name in names:
        seen = exchange.step(name)
        document = json_of(seen)
        count = document.get("input_tokens") if isinstance(document, dict) else None
        if type(count) is not int or count <= before:
            findings.append(at(seen, expected=f"more than {before}", got=shown(count), pointer="/input_tokens"))
        else:
            before = count
    return conclude(findings, f"up to {before} tokens")


def check_limit_inside(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return Inconclusive("the client got no answer")
    wrong = [] if response.status == 429 or response.ok else [Finding(expected="status 429", got=f"status {response.status}")]
    return conclude(wrong, f"status {response.status}")


def check_status_first(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    upstream = exchange.upstream[-1].response if exchange.upstream else None
    if response is None or upstream is None or upstream.ok:
        return Inconclusive("the upstream did not refuse")
    findings = []
    right = response.status == upstream.status if upstream.status in _SAME else response.status >= 400
    if not right:
        wanted = f"status {upstream.status}" if upstream.status in _SAME else "an error status"
        findings.append(Finding(expected=wanted, got=f"status {response.status}"))
    if response.is_sse:
        findings.append(Finding(expected="an error body", got="text/event-stream"))
    return conclude(findings, f"status {response.status} for {upstream.status}")


def check_no_betas(exchange: Exchange) -> Verdict:
    if not exchange.upstream:
        return Inconclusive("the upstream was not called")
    request = exchange.upstream[-1].request
    body = request.json if isinstance(request.json, dict) else {}
    findings = [_up("no anthropic-beta", shown(line)) for line in values(request.headers, "anthropic-beta")]
    findings += [_up(f"no {name}", shown(body[name]), pointer=f"/{name}") for name in _BETAS if name in body]
    return conclude(findings, "no word of betas")


def check_betas_agree(exchange: Exchange) -> Verdict:
    if not exchange.upstream:
        return Inconclusive("the upstream was not called")
    request = exchange.upstream[-1].request
    body = request.json if isinstance(request.json, dict) else {}
    line = value(request.headers, "anthropic-beta")
    head = sorted(part.strip() for part in line.split(",")) if line else None
    lists = [sorted(map(str, body[name])) for name in _BETAS if isinstance(body.get(name), list)]
    wrong = [_up(shown(head), shown(named)) for named in lists if head is not None and named != head]
    return conclude(wrong, "one list of betas at most")


def _up(expected: str, got: str, pointer: str | None = None) -> Finding:
    return Finding(side=Side.UPSTREAM, expected=expected, got=got, pointer=pointer)


def check_keys_apart(exchange: Exchange) -> Verdict:
    names = ("first", "second")
    if (why := failed(exchange, *names)) is not None:
        return why
    keys = []
    for name in names:
        hops = exchange.step(name).upstream
        body = hops[-1].request.json if hops else None
        keys.append(body.get("prompt_cache_key") if isinstance(body, dict) else None)
    wrong = (
        [_up("another prompt_cache_key for each session", shown(keys[0]), "/prompt_cache_key")]
        if keys[0] is not None and keys[0] == keys[1]
        else []
    )
    return conclude(wrong, "two sessions, no key in common")


def check_system_alone(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None:
        return Inconclusive("the client got no answer")
    if not exchange.upstream:
        return conclude([Finding(expected="an answer", got=f"status {response.status}")], "")
    request = exchange.upstream[-1].request
    body = request.json if isinstance(request.json, dict) else {}
    turns = next((body[name] for name in ("messages", "input", "contents") if body.get(name)), None)
    findings = [] if turns else [_up("at least one message", shown(body.get("messages")), "/messages")]
    if exchange.marker.encode() not in request.body:
        findings.append(_up("the system message's text", "none of it"))
    if not response.ok:
        findings.append(Finding(expected="an answer", got=f"status {response.status}"))
    return conclude(findings, "answered, with a message upstream")


def _passed_on(sent: Response | None, got: Response | None, lag_ms: int) -> Verdict:
    """Whether words came while the vendor spoke, and never stood still for long."""
    if sent is None or got is None or not sent.reads or not got.reads:
        return Inconclusive("no stream came about")
    findings = []
    if got.reads[0].at_ms > sent.reads[-1].at_ms:
        findings.append(Finding(expected="its first words before the vendor's last", got="nothing until the vendor had done"))
    for write in sent.reads:
        came = next((read.at_ms for read in got.reads if read.at_ms >= write.at_ms), got.end_ms)
        if came - write.at_ms > _MOST_STILL_MS:
            findings.append(Finding(expected=f"a word within {_MOST_STILL_MS} ms", got=f"none for {came - write.at_ms} ms"))
            break
    if findings and lag_ms >= STOOD_STILL_MS:
        return Inconclusive(f"our own loop stood still for {lag_ms} ms, and so the words came late", late=True)
    return conclude(findings, f"{len(got.reads)} reads while {len(sent.reads)} writes came")


def check_streams_go_on(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "stream", "long")) is not None:
        return why
    seen = exchange.step("stream")
    return _passed_on(seen.upstream[-1].response if seen.upstream else None, seen.answer, exchange.lag_ms)


def check_as_it_comes(exchange: Exchange) -> Verdict:
    return _passed_on(exchange.upstream[-1].response if exchange.upstream else None, exchange.client.response, exchange.lag_ms)


def _proofs(exchange: Exchange) -> list[bytes]:
    """What the first step's upstream wants back: signatures, or the thought itself where there are none."""
    seen = exchange.step("thinks")
    response = seen.upstream[-1].response if seen.upstream else None
    if response is None or not response.ok:
        return []
    said = heard(exchange.upstream_surface, response.text)
    return [proof.encode() for proof in said.signatures or filter(None, (said.reasoning,))]


def _asked(exchange: Exchange, step: str) -> bytes:
    """What the step asked of the upstream, its JSON spelled anew so that proofs can be looked for."""
    hops = exchange.step(step).upstream
    return json.dumps(hops[-1].request.json, ensure_ascii=False).encode() if hops else b""


def check_comes_back(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "thinks", "goes-on")) is not None:
        return why
    proofs, asked = _proofs(exchange), _asked(exchange, "goes-on")
    if not proofs:
        return Inconclusive("the upstream proved nothing")
    findings = [
        Finding(
            step="goes-on", side=Side.UPSTREAM, expected=f"what proves the thought: {shown(proof.decode())}", got="a request without it"
        )
        for proof in proofs
        if proof not in asked
    ]
    return conclude(findings, f"{len(proofs)} proofs handed back")


def check_text_signed(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "thinks", "goes-on")) is not None:
        return why
    proofs, hops = _proofs(exchange), exchange.step("goes-on").upstream
    if not proofs:
        return Inconclusive("the upstream signed nothing")
    came = [piece.proof.encode() for piece in read(exchange.upstream_surface, hops[-1].request.json).pieces if piece.proof] if hops else []
    wrong = [] if came == proofs else [_up(f"{len(proofs)} signatures, as they came", f"{len(came)}", "/contents")]
    return conclude(wrong, f"{len(proofs)} signatures handed back")


def check_redacted_back(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "thinks", "goes-on")) is not None:
        return why
    hops = exchange.step("thinks").upstream
    made = _redacted(hops[-1].response.json) if hops and hops[-1].response is not None else []
    if not made:
        return Inconclusive("the upstream hid no thought")
    hops = exchange.step("goes-on").upstream
    asked = hops[-1].request.json if hops else None
    turns = asked.get("messages") if isinstance(asked, dict) else None
    back = [data for turn in turns or () if isinstance(turn, dict) for data in _redacted(turn)]
    wrong = [] if back == made else [_up(f"{len(made)} redacted thoughts, as they came", f"{len(back)}", "/messages")]
    return conclude(wrong, f"{len(made)} redacted thoughts handed back")


def _redacted(holder: Any) -> list[str]:
    """What stands in the redacted thoughts of a message, before its first call."""
    content = holder.get("content") if isinstance(holder, dict) else None
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    first = next((place for place, block in enumerate(blocks) if block.get("type") == "tool_use"), len(blocks))
    return [str(block.get("data")) for block in blocks[:first] if block.get("type") == "redacted_thinking"]


def check_not_of_others(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "thinks", "goes-on", "stranger")) is not None:
        return why
    proofs, asked = _proofs(exchange), _asked(exchange, "stranger")
    if not proofs or not asked:
        return Inconclusive("the upstream proved nothing, or was not called")
    findings = [
        Finding(step="stranger", side=Side.UPSTREAM, expected="nothing of another account's thought", got=shown(proof.decode()))
        for proof in proofs
        if proof in asked
    ]
    return conclude(findings, f"{len(proofs)} proofs, none of them told to a stranger")


def check_names_back(exchange: Exchange) -> Verdict:
    asked, hops = exchange.client.request.json, exchange.upstream
    response = exchange.client.response
    if not isinstance(asked, dict) or not hops or response is None or not response.ok:
        return Inconclusive("the call was not answered")
    offered = {_name(tool) for tool in asked.get("tools", ())}
    body = hops[-1].request.json
    sent = [_name(tool) for tool in body.get("tools", ())] if isinstance(body, dict) else []
    findings = [_up("at most 64 letters, digits, _ and -", shown(name), "/tools") for name in sent if not _CALL_ID.fullmatch(name)]
    got = [call.name for call in heard(exchange.case.surface, response.text, as_client=True).calls]
    findings += [
        Finding(expected=f"a call of {shown(sorted(offered))}", got=f"one of {shown(name)}") for name in got if name not in offered
    ]
    return conclude(findings, f"{len(got)} calls by the client's own names") if got else Inconclusive("no call reached the client")


def _sent(exchange: Exchange) -> dict[str, Any] | None:
    """What the upstream was asked; None where it was not."""
    body = exchange.upstream[-1].request.json if exchange.upstream else None
    return body if isinstance(body, dict) else None


def check_switched_off(exchange: Exchange) -> Verdict:
    body = _sent(exchange)
    if body is None:
        return Inconclusive("the upstream was not asked")
    match exchange.upstream_surface:
        case Surface.MESSAGES:  # thinks only where it is told to
            told = object_of(body.get("thinking")).get("type")
            right = told in (None, "disabled")
        case Surface.GEMINI:
            config = object_of(object_of(body.get("generationConfig")).get("thinkingConfig"))
            told = config.get("thinkingBudget", config.get("thinkingLevel"))
            right = told in (0, "MINIMAL", "LOW", "minimal", "low")
        case _:
            told = (
                object_of(body.get("thinking")).get("type")
                or body.get("reasoning_effort")
                or object_of(body.get("reasoning")).get("effort")
            )
            right = told in ("disabled", "none")
    return conclude([] if right else [_up("the switch that turns thinking off", shown(told))], f"told {shown(told)}")


def check_not_forced(exchange: Exchange) -> Verdict:
    body = _sent(exchange)
    if body is None:
        return Inconclusive("the upstream was not asked")
    choice = body.get("tool_choice")
    told = choice.get("type") if isinstance(choice, dict) else choice
    return conclude([] if told in (None, "auto") else [_up("auto, or no choice", shown(choice), "/tool_choice")], f"choice {shown(told)}")


def check_together(exchange: Exchange) -> Verdict:
    body = _sent(exchange)
    turns = body.get("messages") if body is not None else None
    if not isinstance(turns, list):
        return Inconclusive("the upstream was not asked in Messages")
    findings, results = [], 0
    for place, turn in enumerate(turns):
        kinds = [object_of(block).get("type") for block in turn["content"]] if isinstance(object_of(turn).get("content"), list) else []
        found = kinds.count("tool_result")
        results += found
        before = object_of(turns[place - 1]).get("content") if place else None
        calls = sum(object_of(block).get("type") == "tool_use" for block in before) if isinstance(before, list) else 0
        if (found or calls) and (found != calls or kinds[:found] != ["tool_result"] * found):
            findings.append(_up(f"the results of {calls} calls, and then all else", shown(kinds), f"/messages/{place}/content"))
    return conclude(findings, f"{results} results, together") if results or findings else Inconclusive("nothing was called")


def check_no_prose(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    if response is None or not exchange.upstream:
        return Inconclusive("the upstream was not asked, or nothing was answered")
    if response.ok and (not response.is_sse or error_event(exchange) is None):
        return conclude([Finding(expected="an error", got=f"status {response.status} and no error in it")], "")
    return conclude([], f"status {response.status}, and an error")


def check_hosted_apart(exchange: Exchange) -> Verdict:
    response, answer = exchange.client.response, exchange.upstream[-1].response if exchange.upstream else None
    if response is None or answer is None or not response.ok or not answer.ok:
        return Inconclusive("no answer was translated")
    said = heard(exchange.upstream_surface, answer.text)
    hosted = [call for call in said.calls if call.kind is CallKind.HOSTED]
    own = {call.name for call in said.calls if call.kind is not CallKind.HOSTED}
    got = heard(exchange.case.surface, response.text, as_client=True)
    findings = [Finding(expected="no call of the vendor's own tools", got=shown(call.name)) for call in got.calls if call.name not in own]
    return conclude(findings, f"{len(hosted)} calls that were the vendor's own") if hosted else Inconclusive("the vendor ran no tool")


def _name(tool: Any) -> str:
    inner = tool.get("function", tool) if isinstance(tool, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def check_usage_apart(exchange: Exchange) -> Verdict:
    asked = exchange.client.request.json
    options = asked.get("stream_options") if isinstance(asked, dict) else None
    wanted = isinstance(options, dict) and options.get("include_usage") is True
    chunks = [seen for seen in exchange.client_events if isinstance(seen.data, dict) and isinstance(seen.data.get("choices"), list)]
    if not chunks:
        return Inconclusive("no chunk reached the client")
    findings = []
    for seen in chunks:
        usage = seen.data.get("usage")
        if not wanted and "usage" in seen.data:
            findings.append(at_event(seen, expected="no usage, for which nobody asked", got=shown(usage), pointer="/usage"))
        if usage is not None and seen.data["choices"]:
            findings.append(at_event(seen, expected="no usage beside a choice", got=shown(usage), pointer="/usage"))
    return conclude(findings, f"{len(chunks)} chunks, usage apart" if wanted else f"{len(chunks)} chunks, none with usage")


def check_null_beside_calls(exchange: Exchange) -> Verdict:
    response = exchange.client.response
    body = response.json if response is not None and response.ok else None
    choices = body.get("choices") if isinstance(body, dict) else None
    said = [object_of(object_of(choice).get("message")) for choice in choices] if isinstance(choices, list) else []
    calling = [message.get("content") for message in said if message.get("tool_calls")]
    wrong = [Finding(expected="null, or a text", got=shown(text), pointer="/choices/0/message/content") for text in calling if text == ""]
    return conclude(wrong, f"{len(calling)} choices with calls") if calling else Inconclusive("no call reached the client")


def check_image_by_address(exchange: Exchange) -> Verdict:
    if (why := unmet(exchange, "unsaid", "by-address")) is not None:
        return why
    seen, rows = exchange.step("by-address"), new_rows(exchange)
    row = row_of(exchange, seen)
    if seen.status == 200:
        wrong = [] if row is not None else [at(seen, expected="a row of the image", got="none")]
        return conclude(wrong, "delivered and billed")
    known = {header(exchange.step("unsaid"), "x-request-id")}
    others = [name for name in rows if name not in known]
    wrong = [Finding(side=Side.ACCOUNT, expected="no row of an image that was not delivered", got=shown(name)) for name in others]
    return conclude(wrong, f"status {seen.status}, and no row")


def check_image_linked(exchange: Exchange) -> Verdict:
    if (why := failed(exchange, "unsaid")) is not None:
        return why
    seen = exchange.step("unsaid")
    document = json_of(seen)
    data = document.get("data") if isinstance(document, dict) else None
    urls = [item.get("url") for item in data or () if isinstance(item, dict)]
    wrong = [] if urls and all(isinstance(url, str) and url for url in urls) else [at(seen, expected="data[0].url", got=shown(data))]
    return conclude(wrong, f"{len(urls)} links")


def _with(trait: str, *, surface: Surface = Surface.MESSAGES, steps: bool = False) -> Given:
    return Given(surfaces=frozenset({surface}), traits=frozenset({trait}), steps=steps)


def _foreign(case: Case) -> bool:
    return case.upstream is not None and case.upstream not in (Dialect.ANTHROPIC, Dialect.DEEPSEEK_ANTHROPIC)


_ON_CONVERSATIONS: Final = Given(traits=frozenset({"conversation"}), steps=True)
_REFUSED_STREAM: Final = Given(stream=True, outcomes=frozenset({Outcome.UPSTREAM_ERROR}), also=lambda case: case.upstream is not None)

RULES: tuple[Rule, ...] = (
    Rule(
        START_COUNTS,
        check_start_counts,
        Given(surfaces=frozenset({Surface.MESSAGES}), stream=True, also=_translated(Surface.MESSAGES).also),
    ),
    Rule(CALL_IDS, check_call_ids, _translated(Surface.MESSAGES)),
    Rule(ITEM_IDS, check_item_ids, _translated(Surface.RESPONSES)),
    Rule(NOT_FETCHED, check_not_fetched, _with("inner-address", surface=Surface.CHAT)),
    Rule(COUNT_GROWS, check_count_grows, _with("counted", steps=True)),
    Rule(LIMIT_INSIDE, check_limit_inside, Given(outcomes=frozenset({Outcome.UPSTREAM_ERROR}), traits=frozenset({"limit-inside"}))),
    Rule(STATUS_FIRST, check_status_first, _REFUSED_STREAM),
    Rule(NO_BETAS, check_no_betas, Given(surfaces=frozenset({Surface.MESSAGES}), traits=frozenset({"betas"}), also=_foreign)),
    Rule(BETAS_AGREE, check_betas_agree, _with("betas")),
    Rule(KEYS_APART, check_keys_apart, _with("two-sessions", steps=True)),
    Rule(SYSTEM_ALONE, check_system_alone, _with("system-only", surface=Surface.CHAT)),
    Rule(USAGE_APART, check_usage_apart, Given(surfaces=frozenset({Surface.CHAT}), stream=True, also=_translated(Surface.CHAT).also)),
    Rule(
        NULL_BESIDE_CALLS,
        check_null_beside_calls,
        Given(
            surfaces=frozenset({Surface.CHAT}), stream=False, traits=frozenset({"tools", "functions"}), also=_translated(Surface.CHAT).also
        ),
    ),
    Rule(IMAGE_BY_ADDRESS, check_image_by_address, _with("images-probed", surface=Surface.IMAGES, steps=True)),
    Rule(IMAGE_LINKED, check_image_linked, _with("images-probed", surface=Surface.IMAGES, steps=True)),
    Rule(
        COMES_BACK, check_comes_back, Given(traits=frozenset({"conversation"}), without=frozenset({"redacted", "signed-text"}), steps=True)
    ),
    Rule(TEXT_SIGNED, check_text_signed, Given(traits=frozenset({"conversation", "signed-text"}), steps=True)),
    Rule(REDACTED_BACK, check_redacted_back, Given(traits=frozenset({"conversation", "redacted"}), steps=True)),
    Rule(NOT_OF_OTHERS, check_not_of_others, _ON_CONVERSATIONS),
    Rule(NAMES_BACK, check_names_back, Given(traits=frozenset({"tool-name"}))),
    Rule(SWITCHED_OFF, check_switched_off, Given(traits=frozenset({"no-thinking"}))),
    Rule(NOT_FORCED, check_not_forced, Given(traits=frozenset({"nothing-chosen"}))),
    Rule(TOGETHER, check_together, Given(traits=frozenset({"tool-loop"}))),
    Rule(NO_PROSE, check_no_prose, Given(outcomes=frozenset({Outcome.UPSTREAM_BROKEN}), traits=frozenset({"prose"}))),
    Rule(HOSTED_APART, check_hosted_apart, Given(traits=frozenset({"web-search", "translated"}))),
    Rule(AS_IT_COMES, check_as_it_comes, Given(stream=True, traits=frozenset({"paced"}))),
    Rule(STREAMS_GO_ON, check_streams_go_on, _with("beside-a-stream", steps=True)),
)
