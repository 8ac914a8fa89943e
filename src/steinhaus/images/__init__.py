"""Pictures in: `open_images` and what it returns. Readers, one a file, are imported when a source asks for them."""

from __future__ import annotations

from steinhaus.images.collection import Images, Skipped
from steinhaus.images.limits import Limits
from steinhaus.images.opening import data_status, open_images
from steinhaus.images.progress import Progress
from steinhaus.images.splitting import Split

__all__ = ["Images", "Limits", "Progress", "Skipped", "Split", "data_status", "open_images"]
