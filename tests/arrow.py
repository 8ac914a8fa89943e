"""PyArrow, for test files in which only some tests need it."""

import pytest

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    pa = pq = None

needs_arrow = pytest.mark.skipif(pa is None, reason="needs the extra parquet")
