"""Features: vectors that are clustered in place of the pictures that they were made of.

`asked` says which features are wanted, `space` holds vectors beside their pictures, `making` makes them, one module a
kind. `chain` is what is done to vectors afterwards: unit length, one scale, principal components.
"""

from __future__ import annotations

from steinhaus.features.asked import Features

__all__ = ["Features"]
