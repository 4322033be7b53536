"""Faulty gateways that lose headers, or pass on those that are not for the other side."""

from typing import Final

from harness.exchange import Headers
from harness.mutation.mutant import Answer, Leg, Mutant, ask_headers, on_headers, with_header, without_header

_TOKEN: Final = "[client-key................]"


def _first_beta_only(headers: Headers) -> Headers:
    betas = [pair for pair in headers if pair[0].lower() == "anthropic-beta"]
    return tuple(pair for pair in headers if pair not in betas[1:])


def _old_version(headers: Headers) -> Headers:
    return tuple((name, "2023-01-01") if name.lower() == "anthropic-version" else (name, text) for name, text in headers)


def _all_codings(headers: Headers) -> Headers:
    return (*(pair for pair in headers if pair[0].lower() != "accept-encoding"), ("accept-encoding", "gzip, deflate, br, zstd"))


def _plain_text(headers: Headers) -> Headers:
    return (*(pair for pair in headers if pair[0].lower() != "content-type"), ("content-type", "text/plain"))


def _each_beta_once(headers: Headers) -> Headers:
    return tuple(
        (name, ",".join(dict.fromkeys(part.strip() for part in text.split(",")))) if name.lower() == "anthropic-beta" else (name, text)
        for name, text in dict.fromkeys(headers)
    )


def _as_called(answer: Answer) -> Answer:
    """Both of its names, which Messages has."""
    called = next((value for name, value in answer.ask.headers if name.lower() == "x-request-id"), None)
    if called is None:
        return answer
    return on_headers(
        lambda headers: tuple((name, called if name.lower() in ("x-request-id", "request-id") else value) for name, value in headers)
    )(answer)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        id="headers-one-beta",
        requirement="headers/beta-verbatim",
        text="Passes on only the first anthropic-beta line.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(_first_beta_only),
        defects=("agentgateway/agentgateway#1777",),
    ),
    Mutant(
        id="headers-each-beta-once",
        requirement="headers/beta-verbatim",
        text="Passes on each anthropic-beta line, and each value in a line, only once.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(_each_beta_once),
        where=lambda case: case.id == "messages/beta-header-duplicates",
    ),
    Mutant(
        id="headers-openai-beta-dropped",
        requirement="headers/openai-beta",
        text="Does not pass OpenAI-Beta on.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(lambda headers: tuple(pair for pair in headers if pair[0].lower() != "openai-beta")),
    ),
    Mutant(
        id="headers-old-version",
        requirement="headers/version-forwarded",
        text="Sends an anthropic-version of its own.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(_old_version),
    ),
    Mutant(
        id="headers-organization-forwarded",
        requirement="headers/organization-ignored",
        text="Passes OpenAI-Organization on to the vendor.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(lambda headers: (*headers, ("OpenAI-Organization", "org-wireproof"))),
    ),
    Mutant(
        id="headers-caller-key-forwarded",
        requirement="headers/caller-key-stays",
        text="Passes the caller's key on to the vendor beside its own.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(lambda headers: (*headers, ("x-caller-key", _TOKEN))),
        defects=("tombii/better-ccflare#460",),
    ),
    Mutant(
        id="headers-two-credentials",
        requirement="headers/one-vendor-credential",
        text="Sends the vendor's key in two headers.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(lambda headers: (*headers, ("api-key", "vendor-key"))),
        defects=("BerriAI/litellm#21039",),
    ),
    Mutant(
        id="headers-address-forwarded",
        requirement="headers/nothing-of-the-caller",
        text="Tells the vendor the caller's address.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(lambda headers: (*headers, ("X-Forwarded-For", "192.0.2.7"))),
        defects=("tombii/better-ccflare#460",),
    ),
    Mutant(
        id="headers-te-forwarded",
        requirement="headers/hop-by-hop-ends",
        text="Passes headers of the caller's connection on.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(lambda headers: (*headers, ("Proxy-Authorization", "Basic eA=="))),
    ),
    Mutant(
        id="headers-all-codings",
        requirement="headers/accept-encoding",
        text="Offers the vendor codings that the caller cannot read.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(_all_codings),
        defects=("Portkey-AI/gateway#1261",),
    ),
    Mutant(
        id="headers-request-as-text",
        requirement="headers/request-content-type",
        text="Sends the request on as text/plain.",
        leg=Leg.UPSTREAM,
        ask=ask_headers(_plain_text),
    ),
    Mutant(
        id="headers-no-request-id",
        requirement="headers/request-id",
        text="Sends no request id.",
        answer=without_header("x-request-id"),
    ),
    Mutant(
        id="headers-callers-request-id",
        requirement="headers/request-id",
        text="Takes over the request id that the caller made up.",
        answer=_as_called,
        where=lambda case: "ingress" in case.traits,
    ),
    Mutant(
        id="headers-sdk-without-id",
        requirement="headers/request-id-in-sdk",
        text="Sends no request id under the name that the SDK reads.",
        answer=lambda answer: without_header("x-request-id")(without_header("request-id")(answer)),
    ),
    Mutant(
        id="headers-no-quota",
        requirement="headers/quota-remaining",
        text="Does not say what is left.",
        answer=without_header("x-quota-remaining-credits"),
    ),
    Mutant(
        id="headers-reset-in-words",
        requirement="headers/rate-limit-windows",
        text="Writes the window's reset as a duration.",
        answer=with_header("x-ratelimit-reset", "34s"),
    ),
    Mutant(
        id="headers-vendor-limits",
        requirement="headers/no-vendor-limits",
        text="Passes the vendor's rate limits on.",
        answer=on_headers(
            lambda headers: (*headers, ("x-ratelimit-limit-requests", "15000"), ("anthropic-ratelimit-requests-limit", "50"))
        ),
        defects=("pollinations/pollinations#8378",),
    ),
    Mutant(
        id="headers-vendor-account",
        requirement="headers/no-vendor-account",
        text="Passes the vendor's cookies and organisation on.",
        answer=on_headers(
            lambda headers: (
                *headers,
                ("set-cookie", "__cf_bm=x"),
                ("openai-organization", "org-gateway"),
                ("anthropic-organization-id", "org-gateway"),
                ("alt-svc", 'h3=":443"'),
            )
        ),
    ),
    Mutant(
        id="headers-keep-alive-back",
        requirement="headers/no-hop-by-hop-back",
        text="Passes headers of the vendor's connection on.",
        answer=with_header("proxy-authenticate", "Basic"),
    ),
    Mutant(
        id="headers-twice",
        requirement="headers/each-once",
        text="Sets its request id beside another one.",
        answer=on_headers(lambda headers: (*headers, ("x-request-id", "req_of_the_vendor"))),
    ),
    Mutant(
        id="headers-no-retry-after",
        requirement="headers/retry-after-kept",
        text="Drops retry-after from the vendor's 429.",
        answer=without_header("retry-after"),
        defects=("majiayu000/litellm-rs#833",),
    ),
)
