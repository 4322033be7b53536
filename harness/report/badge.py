"""A small SVG with the run in a word. It names a count, never a percentage."""

from html import escape
from typing import Final

from harness.judged import ExitCode, exit_code
from harness.report.words import headline
from harness.runfile import Run

_COLOURS: Final = {ExitCode.AS_EXPECTED: "#1a7f4b", ExitCode.FINDINGS: "#b3261e", ExitCode.COULD_NOT_RUN: "#7a5c00"}
_LABEL: Final = "wireproof"
_CHARACTER: Final = 6.6  # px; the text is stretched to what we reckoned, so fonts do not matter
_PADDING: Final = 8


def badge(run: Run) -> str:
    code = exit_code(run.arithmetic, complete=run.complete)
    sums = run.arithmetic
    match code:
        case ExitCode.AS_EXPECTED:
            said = f"{sums.passed:,} of {sums.selected:,} passed"
        case ExitCode.FINDINGS if sums.failed:
            said = f"{sums.failed:,} of {sums.selected:,} failed"
        case ExitCode.FINDINGS:
            said = "not as expected"
        case ExitCode.COULD_NOT_RUN:
            said = "no result"
    left, right = (len(text) * _CHARACTER for text in (_LABEL, said))
    left_width, right_width = left + 2 * _PADDING, right + 2 * _PADDING
    width = left_width + right_width
    title = escape(f"{run.header.target.name}: {headline(run)}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="22" role="img" aria-label="{_LABEL}: {said}">'
        f"<title>{title}</title>"
        f'<rect width="{width:.0f}" height="22" rx="4" fill="#3a3f47"/>'
        f'<path d="M{left_width:.1f} 0H{width - 4:.1f}a4 4 0 0 1 4 4v14a4 4 0 0 1-4 4H{left_width:.1f}z" fill="{_COLOURS[code]}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{_PADDING}" y="15" textLength="{left:.1f}">{_LABEL}</text>'
        f'<text x="{left_width + _PADDING:.1f}" y="15" textLength="{right:.1f}">{escape(said)}</text></g></svg>\n'
    )
