"""What each vendor's answers carry besides the body, as recorded traffic shows it. Values are made up; secrets are there to be cut."""

from harness.recording.format import Headers, Surface
from harness.recording.scenarios.names import Names

_DATE = ("date", "Sat, 21 Nov 2026 00:00:00 GMT")
_HSTS = ("strict-transport-security", "max-age=31536000; includeSubDomains; preload")


def headers(vendor: str, surface: Surface, names: Names, *, status: int, stream: bool) -> Headers:
    sse = stream and status == 200
    match vendor:
        case "openai":
            return _openai(surface, names, status=status, sse=sse)
        case "anthropic":
            return _anthropic(names, status=status, sse=sse)
        case "deepseek":
            return _deepseek(names, sse=sse)
        case "google":
            return _google(stream=stream)
    raise ValueError(f"no headers are known for vendor {vendor!r}: add them here")


def _openai(surface: Surface, names: Names, *, status: int, sse: bool) -> Headers:
    early = status in (401, 403, 404) and surface is Surface.CHAT  # refused before the model's own server
    kind = "text/event-stream; charset=utf-8" if sse else "application/json; charset=utf-8" if early else "application/json"
    limits = (
        ("x-ratelimit-limit-requests", "15000"),
        ("x-ratelimit-limit-tokens", "40000000"),
        ("x-ratelimit-remaining-requests", "14999"),
        ("x-ratelimit-remaining-tokens", "39999194"),
        ("x-ratelimit-reset-requests", "4ms"),
        ("x-ratelimit-reset-tokens", "1ms"),
    )
    known = () if status == 401 else (("openai-organization", "org-wireproof-sample"), ("openai-project", "proj_wireproof_sample"))
    served = () if early else (("openai-processing-ms", str(90 + names.number(900))), ("openai-version", "2020-10-01"))
    challenge = (("www-authenticate", 'Bearer realm="OpenAI API"'),) if status == 401 and not early else ()
    return (
        _DATE,
        ("content-type", kind),
        *(() if early else (("access-control-expose-headers", "X-Request-ID"),)),
        *challenge,
        *known,
        *served,
        *(limits if status in (200, 429) and surface is not Surface.MODELS else ()),
        ("x-request-id", f"req_{names.hex(32)}"),
        _HSTS,
        ("x-content-type-options", "nosniff"),
        ("cf-cache-status", "DYNAMIC"),
        ("set-cookie", f"__cf_bm={names.alnum(40)}; path=/; HttpOnly; Secure; SameSite=None"),
        ("server", "cloudflare"),
        ("cf-ray", f"{names.hex(16)}-VIE"),
        ("alt-svc", 'h3=":443"; ma=86400'),
    )


def _anthropic(names: Names, *, status: int, sse: bool) -> Headers:
    reset = "2026-11-21T00:01:00Z"
    limits = tuple(
        pair
        for kind, limit, left in (
            ("requests", "50", "49"),
            ("input-tokens", "30000", "28000"),
            ("output-tokens", "8000", "8000"),
            ("tokens", "38000", "36000"),
        )
        for pair in (
            (f"anthropic-ratelimit-{kind}-limit", limit),
            (f"anthropic-ratelimit-{kind}-remaining", left),
            (f"anthropic-ratelimit-{kind}-reset", reset),
        )
    )
    return (
        _DATE,
        ("content-type", "text/event-stream; charset=utf-8" if sse else "application/json"),
        *((("cache-control", "no-cache"),) if sse else ()),
        *(limits if status in (200, 429) else ()),
        ("request-id", f"req_011C{names.base58(20)}"),
        _HSTS,
        *(() if status == 401 else (("anthropic-organization-id", names.uuid()),)),
        ("server", "cloudflare"),
        ("x-envoy-upstream-service-time", str(60 + names.number(900))),
        ("cf-cache-status", "DYNAMIC"),
        ("x-robots-tag", "none"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cf-ray", f"{names.hex(16)}-VIE"),
    )


def _deepseek(names: Names, *, sse: bool) -> Headers:
    return (
        ("content-type", "text/event-stream; charset=utf-8" if sse else "application/json"),
        _DATE,
        ("server", "elb"),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
        ("access-control-allow-credentials", "true"),
        *((("cache-control", "no-cache"),) if sse else ()),
        ("x-ds-trace-id", names.hex(32)),
        _HSTS,
        ("x-content-type-options", "nosniff"),
    )


def _google(*, stream: bool) -> Headers:
    # `alt=sse` keeps its content-type on errors too, over a plain JSON body.
    return (
        *((("content-disposition", "attachment"),) if stream else ()),
        ("content-type", "text/event-stream" if stream else "application/json; charset=UTF-8"),
        ("vary", "Origin"),
        ("vary", "X-Origin"),
        ("vary", "Referer"),
        _DATE,
        ("server", "scaffolding on HTTPServer2"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("server-timing", "gfet4t7; dur=812"),
        ("x-gemini-service-tier", "standard"),
        ("alt-svc", 'h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'),
    )
