"""The declared losses of one route, as an exchange's promises carry them (harness/losses.py has the file from which they come)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.case import Surface
from harness.transcript_oracle import Losses


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRoute:
    """Nothing in it where none were declared. `request_in`, `request_out`: path -> rule, of all that is not simply kept."""

    warning_header: str = ""
    request_in: Mapping[str, str]
    request_out: Mapping[str, str]
    answers: Losses

    @classmethod
    def of(cls, promises: Mapping[str, Any], client: Surface, upstream: Surface) -> "OnRoute":
        told = promises.get("losses") or {}
        answers = {(str(client), "answer_out", _dotted(path)): rule for path, rule in told.get("answer_out", {}).items()}
        answers |= {(str(upstream), "answer_in", path): rule for path, rule in told.get("answer_in", {}).items()}
        return cls(
            warning_header=told.get("warning_header", ""),
            request_in=told.get("request_in", {}),
            request_out=told.get("request_out", {}),
            answers=Losses(answers),
        )

    def written(self, path: str) -> str:
        """What becomes of a part of a request where it is written for the upstream."""
        return self.request_out.get(path, "kept")


def _dotted(path: str) -> str:
    """The transcript oracle knows `items[Text]` as `items.Text`."""
    return path.replace("items[", "items.", 1).replace("]", "", 1) if path.startswith("items[") else path
