"""What an SDK made of its bytes. An exception of the SDK is evidence; one of ours is raised."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final

import httpx2

from harness.case import Case
from harness.client.call import DriveError
from harness.client.tape import Tape
from harness.exchange import SdkError, SdkReading

_OURS: Final = str(Path(__file__).parents[1])
_JSON: Final = (str, int, float, bool, list, dict, type(None))

# What helpers add to each event: everything so far. Kept, a stream of n events would take n² room.
_GROWING: Final = {"snapshot", "parsed", "parsed_arguments"}


class Notes:
    """Collects one SdkReading while the SDK runs."""

    def __init__(self, case: Case, *, call: str) -> None:
        self._case = case
        self.call = call
        self.sdk = ""  # name and version, known once the SDK is imported
        self.root = ""  # the package that the SDK's own exceptions come from
        self.events: list[Any] = []
        self.final: Any = None
        self.error: SdkError | None = None
        self.request_id: str | None = None

    def enough(self) -> bool:
        """The case hangs up here."""
        limit = self._case.abort_after_frames
        return limit is not None and len(self.events) >= limit

    def failed(self, error: Exception, tape: Tape) -> None:
        """Notes an exception of the SDK; raises what is our own bug or our case's."""
        if tape.request is None or isinstance(error, DriveError):
            raise DriveError(f"case {self._case.id}: {self.call} refused before anything was sent: {error}") from error
        if not isinstance(error, httpx2.HTTPError) and _raised_in(error.__traceback__).startswith(_OURS):
            raise error
        status = getattr(error, "status_code", None)
        code = getattr(error, "error_code", None) or getattr(error, "code", None)
        error_type = getattr(error, "type", None) or getattr(error, "status", None)
        if status is None and isinstance(code, int):  # google-genai: the HTTP status, or that of an error in the stream
            status, code = code, None
        self.error = SdkError(
            type=type(error).__name__,
            message=str(error),
            status=status if isinstance(status, int) else None,
            code=None if code is None else str(code),
            error_type=None if error_type is None else str(error_type),
            request_id=getattr(error, "request_id", None),
            official=f"{type(error).__module__}.".startswith(f"{self.root}."),
        )

    def reading(self) -> SdkReading:
        return SdkReading(
            sdk=self.sdk,
            call=self.call,
            events=tuple(self.events),
            final=self.final,
            error=self.error,
            request_id=self.request_id or (self.error.request_id if self.error else None),
        )


def json_value(found: Any) -> Any:
    """An SDK's object as JSON: only fields that were set, under the API's names. SDKs also return plain str or list for odd bodies."""
    if isinstance(found, _JSON):
        return found
    if hasattr(found, "model_dump"):
        return found.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=_GROWING, warnings=False)
    return repr(found)


def _raised_in(trace: TracebackType | None) -> str:
    """The file of the innermost frame."""
    name = ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
    return name
