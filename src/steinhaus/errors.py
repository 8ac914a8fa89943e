"""The errors that Steinhaus raises on purpose. Each message names the thing, the rule, the value and the way out."""


class SteinhausError(ValueError):
    """An error that the caller can correct. The command line shows its message as one paragraph."""


class DataError(SteinhausError):
    """A source of images cannot be read, or its content contradicts its description."""


class PlanError(SteinhausError):
    """A parameter, or a part of a study's plan, is out of range or contradicts another."""


class StoreError(SteinhausError):
    """A study's folder cannot be read or written, or belongs to another study."""


class ModelError(SteinhausError):
    """A model cannot be written to a file, or a file does not hold a model."""


class ClusterError(SteinhausError):
    """A Dask cluster is missing, or its workers or its scheduler are lost."""
