"""The one exception that reading wire bytes may raise."""


class WireError(ValueError):
    """Bytes that are not what their protocol says, and where.

    `offset` counts bytes from the start of what was given to read: the JSON text, or, for an event, the body its frame stood in.
    `pointer` is the JSON pointer of the wrong value, `""` where the text as a whole is wrong.
    """

    def __init__(self, message: str, *, offset: int, pointer: str = "") -> None:
        where = f"at {pointer}, byte {offset}" if pointer else f"at byte {offset}"
        super().__init__(f"{where}: {message}")
        self.message = message
        self.offset = offset
        self.pointer = pointer
