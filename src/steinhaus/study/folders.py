"""Begin or resume a study in a folder, or refuse the folder because it holds something else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from steinhaus.errors import StoreError
from steinhaus.study import files
from steinhaus.study.lock import LOCK, Lock
from steinhaus.study.record import StudyRecord
from steinhaus.study.space import Space
from steinhaus.study.store import STUDY, Folder
from steinhaus.wording import option


def refuse_others(path: Path) -> None:
    """Refuse a folder that is not empty and not a study: a study would overwrite files."""
    there = files.names(path)
    if files.temporary_name(path / STUDY).name in there:  # left by a study that was killed at its start
        return
    others = [name for name in there if not name.startswith((LOCK, ".DS_Store", ".nfs"))]
    if others:
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise StoreError(
            f"{path} is neither empty nor a study: it holds {listed}. Choose another folder, {option('out', '...')}, "
            "because a study may overwrite files."
        )


def finished(path: Path, digest: str) -> Folder | None:
    """The study of a folder, if it is this study and it is complete; else None."""
    folder = Folder.find(path)
    if folder is None or folder.record.digest != digest or not folder.is_whole:
        return None
    if folder.is_locked:
        with (
            suppress(StoreError),
            Lock(path),
        ):  # take and release a lock left by a process that died just before its end
            pass
    return folder


def open_folder(path: Path, record: StudyRecord, lock: Lock, space: Space) -> Folder:
    """The study in the folder, or a new one."""
    if (folder := Folder.find(path, lock)) is None:
        folder = Folder.begin(path, record, lock, space.chain)
    refuse_another(folder, record)
    folder.sweep()
    if folder.record.complete and not folder.is_whole:
        folder.reopen()
    return folder


def refuse_another(folder: Folder | None, record: StudyRecord) -> None:
    """Refuse a folder that holds another study, and name the fields that differ."""
    if folder is None or folder.record.digest == record.digest:
        return
    there = folder.record
    fields = ("name", "shape", "dtype", "full_scale", "n_train", "n_test", "label_names", "sha256")
    pairs = [(name, there.plan.get(name), value) for name, value in record.plan.items()]
    pairs += [(f"data {name}", getattr(there.data, name), getattr(record.data, name)) for name in fields]
    pairs.append(("features", _told_of_features(there), _told_of_features(record)))
    different = "; ".join(
        f"{name} is {_short(old)} there and {_short(new)} here" for name, old, new in pairs if old != new
    )
    raise StoreError(
        f"{folder.path} holds another study: {different or 'its digest is another'}. "
        f"Choose another folder, {option('out', '...')}, or use the plan and the data of that study."
    )


def _told_of_features(record: StudyRecord) -> str:
    features = record.data.features
    return "none" if features is None else f"{features.told} ({features.sha256[:8]})"


def _short(value: Any) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
