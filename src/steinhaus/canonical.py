"""JSON in one canonical form, from which checksums and digests are taken."""

from __future__ import annotations

import json
from typing import Any


def canonical(value: Any) -> bytes:
    """The value with sorted keys, without spaces, floats by their shortest exact digits, in ASCII.

    Raises
    ------
    ValueError
        It holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
