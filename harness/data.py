"""Where the data that ships with wireproof lies: in a checkout at its top, in an installed wheel inside this package."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """The folder `schemas` or `recordings`: the wheel keeps it under harness/shipped/, a checkout beside harness/."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
