"""
Photographs, three ways
=======================

Crops of colour pictures, clustered by colour, by directions of edges, and by a small network: three reports.

    python examples/photographs.py FOLDER [CROPS]

FOLDER gets the crops (200 by default), a network in ONNX, and a folder for each study. The pictures are scikit-learn's
two photographs and scikit-image's own. The network is not trained: its filters are waves of all directions in random
colours. Needs the extras `features` and `models`.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import skimage.data
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_sample_images

from steinhaus import Study, open_images
from steinhaus.report import write_report

NAMES = (
    "astronaut", "chelsea", "coffee", "colorwheel", "hubble_deep_field", "immunohistochemistry", "retina", "rocket"
)  # fmt: skip
SIDE = 64


def crops(folder: Path, count: int) -> None:
    """Cut squares of several sizes from each picture, and resize them."""
    pictures = dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    pictures |= {name: getattr(skimage.data, name)()[..., :3] for name in NAMES}
    rng = np.random.default_rng(0)
    for name, picture in pictures.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count // len(pictures)):
            side = rng.integers(64, 160)
            top, left = (rng.integers(0, length - side + 1) for length in picture.shape[:2])
            crop = Image.fromarray(picture[top : top + side, left : left + side])
            crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / name / f"{number:03d}.jpg", quality=90)


def network(path: Path) -> None:
    """Two layers of convolutions, averaged over the picture: 16 values."""
    rng = np.random.default_rng(0)
    across, down = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5))
    angles = np.arange(16)[:, None, None] * (2 * np.pi / 16)
    waves = np.sin(2.5 * (np.cos(angles) * across + np.sin(angles) * down))[:, None]
    first = (rng.normal(size=(16, 3, 1, 1)) * (waves + 0.3) / 12).astype(np.float32)
    second = rng.normal(size=(16, 16, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["edges"], pads=[2, 2, 2, 2], strides=[2, 2]),
        helper.make_node("Relu", ["edges"], ["kept"]),
        helper.make_node("Conv", ["kept", "second"], ["mixed"]),
        helper.make_node("GlobalAveragePool", ["mixed"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vectors"]),
    ]
    graph = helper.make_graph(
        nodes,
        "waves",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 16])],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(second, "second")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"steinhaus.input": "0..1"})
    onnx.save(model, path)


def main() -> None:
    folder = Path(sys.argv[1])
    crops(folder / "pictures", int(sys.argv[2]) if len(sys.argv) > 2 else 200)
    network(folder / "network.onnx")
    images = open_images(folder / "pictures")
    for name, features in (("colour", "colour"), ("hog", "hog"), ("network", folder / "network.onnx")):
        result = Study(k=[10], restarts=3, features=features).run(images, folder / f"by-{name}")
        write_report(result, folder / f"by-{name}" / "report.html")
        print(f"{name}: {result.best[0].test_accuracy:.3f} of the test crops are named after their picture")


if __name__ == "__main__":
    main()
