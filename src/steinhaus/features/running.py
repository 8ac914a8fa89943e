"""Run a network on pictures, batch by batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steinhaus.errors import DataError
from steinhaus.features import model as models
from steinhaus.features.model import Model
from steinhaus.features.model_input import ModelInput, entered
from steinhaus.images.files import shown

BATCH = 32  # pictures at once, if the network takes any number


class Running:
    """A loaded network, and the form of its input."""

    def __init__(self, model: Model, how: ModelInput) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise DataError(models.NEEDED) from None
        from steinhaus.resources import available_cores

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # its own messages are silenced; errors are raised here
        options.intra_op_num_threads = available_cores()
        options.use_deterministic_compute = True
        source = model.content if model.content is not None else str(model.path)
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # errors of onnxruntime have no common type
            raise _refused(model.path, "cannot be loaded", error) from None
        self.model, self.how = model, how

    def vectors(self, pictures: NDArray[Any], full_scale: float, first: int) -> NDArray[np.float32]:
        """The vectors of pictures (n, h, w[, c]), (n, d) float32; `first` numbers the first one in messages."""
        batch = self.model.batch or BATCH
        parts = [
            self._batch(pictures[at : at + batch], full_scale, first + at) for at in range(0, len(pictures), batch)
        ]
        return np.concatenate(parts)

    def _batch(self, pictures: NDArray[Any], full_scale: float, first: int) -> NDArray[np.float32]:
        # in: pictures (m, h, w) or (m, h, w, c)
        model = self.model
        values = entered(pictures, full_scale, model.channels, self.how).astype(model.dtype)
        if not model.channels_last:
            values = values.transpose(0, 3, 1, 2)
        if (
            model.batch is not None and len(values) < model.batch
        ):  # the last batch is filled up with copies of its last picture
            values = np.concatenate([values, np.repeat(values[-1:], model.batch - len(values), axis=0)])
        try:
            (found,) = self._session.run([model.output.name], {model.input_name: np.ascontiguousarray(values)})
        except Exception as error:
            raise _refused(model.path, "does not run on these pictures", error) from None
        vectors = self._flat(np.asarray(found))[: len(pictures)]
        if not np.isfinite(vectors).all():
            row = int(np.argwhere(~np.isfinite(vectors))[0][0])
            raise DataError(
                f"{shown(model.path)} gives NaN or infinity for picture {first + row}. Check the scale of its input, "
                "or leave that picture out."
            )
        return vectors

    def _flat(self, found: NDArray[Any]) -> NDArray[np.float32]:
        """One vector per picture, (n, d)."""
        output = self.model.output
        models.check_rank(self.model.path, output, found.ndim)
        if output.token == "mean":
            found = found.mean(axis=1, dtype=np.float64)
        elif output.token is not None:
            if int(output.token) >= found.shape[1]:
                raise DataError(f"{shown(self.model.path)}: {output.text} has {found.shape[1]} tokens.")
            found = found[:, int(output.token)]
        if found.ndim == 4 and found.shape[2:] != (1, 1):
            raise DataError(
                f"{shown(self.model.path)}: its output {output.text} is a map of {found.shape[2]} x {found.shape[3]}, "
                "not one vector per picture. Export the network up to its vectors."
            )
        return np.asarray(found.reshape(len(found), -1), np.float32)


def _refused(path: Path, what: str, error: Exception) -> DataError:
    reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    return DataError(
        f"{shown(path)} {what}: {reason.rstrip('.')}. Check the size and scale of its input, or export it again."
    )
