"""
A study of MNIST
================

Study MNIST: several K, several restarts, one table, one report.

    python examples/mnist_study.py [FOLDER]

Opens MNIST (from $STEINHAUS_DATA if it is set; else MNIST is downloaded once), runs on 6,000 of its images, which takes
seconds, and keeps the study in FOLDER (default: mnist-study). If you start it again, it resumes.
"""

import os
import sys

from steinhaus import Study, open_images
from steinhaus.displays import ElbowDisplay

folder = sys.argv[1] if len(sys.argv) > 1 else "mnist-study"
images = open_images("mnist", data=os.environ.get("STEINHAUS_DATA") or None)

study = Study(k=(5, 7, 10, 12), restarts=3, train=6000, seed=0)
result = study.run(images, out=folder)
print(result.table())

ElbowDisplay.from_study(result).figure_.savefig(f"{folder}/elbow.png")
