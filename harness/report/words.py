"""What every report says in the same words: the run in one sentence, what a person can safely be shown, how to replay."""

import os
import re
import shlex
from pathlib import Path
from typing import Final

from harness.exchange import Exchange
from harness.judged import ExitCode, Judged, exit_code, never_judged
from harness.report.matrix import broken
from harness.runfile import Run
from harness.verdict import Errored, Failed, Finding, Inconclusive, NotApplicable, Passed, Side

LINE_END: Final = "\u21b5"  # how an excerpt shows a line feed
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_NO_KEYWORD: Final = re.compile(r"[^\w:+\-.\[\]\\/]+")  # what pytest's -k does not take inside a word
_BEFORE: Final = 90  # bytes of an excerpt before the finding
_AFTER: Final = 150


def shown(text: str) -> str:
    """Text of a target with what cannot be seen made visible: controls, direction marks, lone surrogates. Tab and LF stay."""
    return _CONTROL.sub(_made_visible, text)


def _made_visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def single_line(text: str) -> str:
    return shown(text).replace("\n", LINE_END).replace("\t", " ")


def plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def headline(run: Run) -> str:
    """How the run ended, in one sentence."""
    red = broken(run)
    models = {judged.model for each in red for judged in each.verdicts}
    stopped = "" if run.complete else " The run was broken off."
    match exit_code(run.arithmetic, complete=run.complete):
        case ExitCode.AS_EXPECTED:
            return "Everything stood as expected."
        case ExitCode.FINDINGS if red:
            return f"{plural(len(red), 'requirement')} broken on {plural(len(models), 'model')}.{stopped}"
        case ExitCode.FINDINGS:
            return f"{plural(len(never_judged(run.verdicts)), 'requirement')} met nothing to judge on any case.{stopped}"
        case ExitCode.COULD_NOT_RUN:
            if not run.arithmetic.verdicts:
                return f"There are no verdicts, which is not a pass.{stopped}"
            if run.arithmetic.errored:
                return f"{plural(run.arithmetic.errored, 'verdict')} could not be given, by our own fault.{stopped}"
            if run.arithmetic.too_late and not run.arithmetic.unjudged:
                late = plural(run.arithmetic.too_late, "requirement")
                return f"{late} could not be judged: this machine had too much to do. Run it again where there is less.{stopped}"
            return f"The run was broken off with {plural(run.arithmetic.unjudged, 'verdict')} still to give."


def detail(judged: Judged) -> str:
    """What the verdict says for itself, without its findings."""
    match judged.verdict:
        case Passed(saw=saw):
            return saw
        case Inconclusive(reason=reason) | NotApplicable(reason=reason) | Errored(reason=reason):
            return reason
        case Failed(findings=findings):
            return plural(len(findings), "finding")


def item_name(judged: Judged) -> str:
    """The name of the verdict as a pytest item."""
    return f"{judged.requirement}[{judged.exchange or f'{judged.case}-{judged.model}'}]"


def replay_command(judged: Judged, run_file: str) -> str:
    """Judges this one verdict again from the stored run, with no network."""
    keyword = " and ".join(filter(None, _NO_KEYWORD.split(item_name(judged))))
    return f"{again_command(run_file)} -k {shlex.quote(keyword)}"


def again_command(run_file: str) -> str:
    """Judges the whole stored run again, with no network."""
    return f"wireproof run --run {shlex.quote(run_file)}"


def as_typed(path: Path) -> str:
    """The path as one would type it here: relative where that does not climb."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def place(finding: Finding) -> str:
    return ", ".join(
        [str(finding.side)]
        + ([f"step {finding.step}"] if finding.step is not None else [])
        + ([f"frame {finding.frame}"] if finding.frame is not None else [])
        + ([f"byte {finding.offset:,}"] if finding.offset is not None else [])
        + ([finding.pointer or "(whole value)"] if finding.pointer is not None else [])
    )


def excerpt(exchange: Exchange, finding: Finding) -> tuple[int, str, str] | None:
    """The bytes around a finding: where the excerpt begins, what stands before the offset, what stands from it on.

    None where the finding names no place in a body, or the body is not there.
    """
    body, offset = _body(exchange, finding)
    if body is None or offset is None or not 0 <= offset <= len(body):
        return None
    start = max(0, offset - _BEFORE)
    while start > 0 and body[start] & 0xC0 == 0x80:  # not into the middle of a character
        start -= 1
    return start, _text(body[start:offset]), _text(body[offset : offset + _AFTER])


def _body(exchange: Exchange, finding: Finding) -> tuple[bytes | None, int | None]:
    match finding.side:
        case Side.CLIENT:
            response = exchange.client.response if finding.step is None else exchange.step(finding.step).answer
            if response is None:
                return None, None
            offset = finding.offset
            if offset is None and finding.frame is not None and finding.frame < len(response.frames):
                offset = response.frames[finding.frame].offset
            return response.text, offset
        case Side.UPSTREAM:
            hops = exchange.upstream if finding.step is None else exchange.step(finding.step).upstream
            return (hops[-1].request.body if hops else None), finding.offset
        case Side.SDK | Side.ACCOUNT:
            return None, None


def _text(data: bytes) -> str:
    return shown(data.decode("utf-8", "backslashreplace")).replace("\n", f"{LINE_END}\n")
