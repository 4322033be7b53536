"""Keeps secrets out of run files, whatever the runner let through: every length and offset stays true.

The runner masks the keys it knows (harness.mask) before there is an exchange. This is the second lock, on the way to disk: it knows the
other spellings of a secret, secrets that lie across two reads or under a content-coding, and credentials that only a request shows.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

from harness.mask import CREDENTIAL_HEADERS, token
from harness.recording import redact

_SHORTEST: Final = 8  # a shorter secret would be found in half of all words; it is cut from headers only
_SHORTEST_LEARNT: Final = 16  # `Bearer undefined` is no key, and its words stand elsewhere too
_MASKED: Final = re.compile(r"\[[a-z][a-z.-]*\]?|(?:x|\*)*|\W?(?:REDACTED|FILTERED|SCRUBBED)\W?")
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Digest) +", re.IGNORECASE)
_QUERY_KEY: Final = re.compile(r"(?<=[?&])((?:key|api[-_]?key|access_token|token)=)([^&#]+)", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]+@")
_WBITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's name for each format


class RunSecrets:
    """The secrets of one run: those it was told, and those it learns from requests."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._covers: dict[bytes, bytes] = {}  # each spelling of a secret -> what is written in its place
        self._starts: tuple[bytes, ...] = ()  # one of these begins each spelling; `in` is quick, and mostly says no to all of them
        self._pattern: re.Pattern[bytes] | None = None
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                self._add(secret, "secret")

    def _add(self, secret: str, name: str) -> None:
        if secret.encode() in self._covers:
            return
        for spelling in _spellings(secret):
            self._covers[spelling] = token(name, len(spelling)).encode()
        longest_first = sorted(self._covers, key=len, reverse=True)
        self._starts = tuple({spelling[:_SHORTEST] for spelling in longest_first})
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first)))

    def learn_from(self, target: str, headers: Iterable[Iterable[str]]) -> None:
        """What a request showed as its credential is a secret wherever else it stands."""
        shown = [_SCHEME.sub("", value, count=1) for name, value in headers if name.lower() in CREDENTIAL_HEADERS]
        shown += [found[2] for found in _QUERY_KEY.finditer(target)]
        for credential in shown:
            if len(credential) >= _SHORTEST_LEARNT and not _MASKED.fullmatch(credential):
                self._add(credential, "credential")

    def mask(self, data: bytes) -> bytes:
        """The same number of bytes, without known secrets and without whatever else is key-shaped."""
        if self._pattern is not None and any(start in data for start in self._starts):
            data = self._pattern.sub(lambda found: self._covers[found[0]], data)
        return redact.redact(data)

    def headers(self, headers: Iterable[Iterable[str]]) -> list[list[str]]:
        return [[name, _header_value(value) if name.lower() in CREDENTIAL_HEADERS else value] for name, value in headers]

    def reads(self, reads: list[bytes], coding: str) -> list[bytes]:
        """The reads of one body, cut even where a secret lies across two of them; each read keeps its length.

        Where the secret lies under a content-coding, the whole body comes back in the first read, coded anew.
        """
        whole = b"".join(reads)
        wbits = _WBITS.get(coding.strip().lower())
        if wbits is not None:
            again = self._recoded(whole, wbits)
            return reads if again is None else [again, *(b"" for _ in reads[1:])]
        if len(reads) == 1 and _is_text(whole):
            return reads  # the line that it becomes part of is masked as a whole
        cut = self.mask(whole)
        if cut == whole:
            return reads
        pieces, at = [], 0
        for read in reads:
            pieces.append(cut[at : at + len(read)])
            at += len(read)
        return pieces

    def _recoded(self, coded: bytes, wbits: int) -> bytes | None:
        """The body coded anew without its secrets, broken off where it was broken off; None where it holds none."""
        decoder = zlib.decompressobj(wbits)
        try:
            plain = decoder.decompress(coded)
        except zlib.error:  # not what its header says; then it may be plain
            masked = self.mask(coded)
            return None if masked == coded else masked
        masked = self.mask(plain)
        if masked == plain:
            return None
        encoder = zlib.compressobj(wbits=wbits)
        return encoder.compress(masked) + encoder.flush(zlib.Z_FINISH if decoder.eof else zlib.Z_SYNC_FLUSH)


def mask_url(url: str) -> str:
    """A URL or request target without the values of `?key=` and its like, nor a password before the host."""
    return _QUERY_KEY.sub(lambda found: found[1] + _cover(found[2]), _USER_INFO.sub("", url))


def hops(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Every hop of an exchange given as plain values; one that stands in two places comes twice."""
    steps = [hop for step in tree.get("steps", ()) for hop in (*step["calls"], *step["upstream"])]
    return [tree["client"], *tree["upstream"], *steps]


def mask_exchange(tree: dict[str, Any], secrets: RunSecrets) -> None:
    """Masks headers, targets and bodies of an exchange given as plain values (bodies as bytes), in place."""
    seen = hops(tree)
    for hop in seen:
        secrets.learn_from(hop["request"]["target"], hop["request"]["headers"])
    case = tree["case"]
    case["headers"] = secrets.headers(case["headers"])
    if case["body"] is not None:
        case["body"] = secrets.mask(case["body"])
    for step in case["steps"]:
        step["headers"] = secrets.headers(step["headers"])
        if step["body"] is not None:
            step["body"] = secrets.mask(step["body"])
    for hop in seen:
        request, response = hop["request"], hop["response"]
        request["target"] = mask_url(request["target"])
        [request["body"]] = secrets.reads([request["body"]], _coding(request["headers"]))
        request["headers"] = secrets.headers(request["headers"])
        if response is not None and response["reads"]:
            bodies = secrets.reads([read["data"] for read in response["reads"]], _coding(response["headers"]))
            for read, data in zip(response["reads"], bodies, strict=True):
                read["data"] = data
            response["headers"] = secrets.headers(response["headers"])


def _spellings(secret: str) -> set[bytes]:
    """The secret as it stands, in a URL, in JSON, and inside base64 wherever it begins there."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    found |= {re.sub(rb"%[0-9A-F]{2}", lambda escape: escape[0].lower(), spelling) for spelling in tuple(found)}
    for before in range(3):
        first = -(-before * 8 // 6)  # the first character that holds none of the bits before the secret
        end = (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + raw)[first:end])
    return found


def _header_value(value: str) -> str:
    scheme = _SCHEME.match(value)
    kept = scheme[0] if scheme else ""
    return kept + _cover(value[len(kept) :])


def _cover(secret: str) -> str:
    return secret if _MASKED.fullmatch(secret) else token("cut", len(secret))


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _coding(headers: Iterable[Iterable[str]]) -> str:
    return next((value for name, value in headers if name.lower() == "content-encoding"), "")
