"""Features: vectors that are clustered instead of the pictures they were made from.

`asked` describes the features that the user wants. `space` holds vectors beside their pictures. `making` makes them;
each kind has a module. `chain` holds the steps that follow: unit length, one scale, principal components.
"""

from __future__ import annotations

from steinhaus.features.asked import Features

__all__ = ["Features"]
