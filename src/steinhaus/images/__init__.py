"""Read pictures: `open_images` and the collection it returns. Each reader is imported when a source needs it."""

from __future__ import annotations

from steinhaus.images.collection import Images, Skipped
from steinhaus.images.limits import Limits
from steinhaus.images.opening import data_status, open_images
from steinhaus.images.progress import Progress
from steinhaus.images.splitting import Split

__all__ = ["Images", "Limits", "Progress", "Skipped", "Split", "data_status", "open_images"]
