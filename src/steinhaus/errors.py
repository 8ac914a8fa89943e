"""The errors that Steinhaus raises on purpose. Each message names the thing, the rule, the value and the way out."""


class SteinhausError(ValueError):
    """Something the caller can put right; the command line shows its message as one paragraph."""


class DataError(SteinhausError):
    """A source of images cannot be read, or does not hold what it says."""


class PlanError(SteinhausError):
    """A study's plan, or a parameter, is out of range or contradicts another."""


class StoreError(SteinhausError):
    """A study's folder cannot be read or written, or belongs to another study."""


class ModelError(SteinhausError):
    """A model cannot be written to a file, or a file does not hold one."""


class ClusterError(SteinhausError):
    """A Dask cluster is missing, or its workers or its scheduler are lost."""
