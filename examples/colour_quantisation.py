"""
Colours of a photograph
=======================

Repaint a photograph in 16 colours: the mean colours of 16 clusters of its 273,280 pixels.

    python examples/colour_quantisation.py [FOLDER]

Writes 16-colours.png into FOLDER (default: the current one). Pixels stay uint8. Equal pixels are clustered once, with
their number as weight. Whole weights are exact, so the result is the same as for all pixels, and it is faster.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from steinhaus import KMeans

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
folder.mkdir(parents=True, exist_ok=True)
photograph = load_sample_image("china.jpg")
pixels = photograph.reshape(-1, 3)

colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
print(f"{len(pixels):,} pixels, {len(colours):,} colours")
kmeans = KMeans(16, random_state=0).fit(colours, sample_weight=counts)

palette = np.rint(kmeans.cluster_centers_).astype(np.uint8)
painted = palette[kmeans.labels_[places.ravel()]].reshape(photograph.shape)
Image.fromarray(painted).save(folder / "16-colours.png")
print(f"mean squared error {kmeans.inertia_ / pixels.size:.2f} per channel, after {kmeans.n_iter_} iterations")

_, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, shown, title in zip(axes, (photograph, painted), ("the photograph", "16 colours"), strict=True):
    ax.imshow(shown)
    ax.set(title=title, xticks=[], yticks=[])
