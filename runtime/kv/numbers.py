"""Numbers in arguments and values, as Redis reads them."""

from __future__ import annotations

import re
from typing import Final

from runtime.kv.resp import Failure

NOT_AN_INTEGER: Final = Failure("ERR value is not an integer or out of range")
LOWEST: Final = -(2**63)
HIGHEST: Final = 2**63 - 1
_INTEGER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")


def integer(text: bytes) -> int | None:
    """Return the number of 64 bits that is written as `text`, in its only way; None if none is."""
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if LOWEST <= number <= HIGHEST else None
