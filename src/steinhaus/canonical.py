"""JSON in one canonical form, for checksums and digests."""

from __future__ import annotations

import json
from typing import Any


def canonical(value: Any) -> bytes:
    """The value as JSON: keys sorted, no spaces, floats in their shortest exact digits, ASCII.

    Raises
    ------
    ValueError
        The value holds NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
