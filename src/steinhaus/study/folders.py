"""A study's folder: begun, gone on with, or refused because something else lies there."""

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
    """A folder without a study must hold nothing: files of other people would be written over."""
    there = files.names(path)
    if files.temporary_name(path / STUDY).name in there:  # a study that was killed as it began
        return
    others = [name for name in there if not name.startswith((LOCK, ".DS_Store", ".nfs"))]
    if others:
        listed = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise StoreError(
            f"{path} is neither empty nor a study: it holds {listed}. Choose another folder, "
            f"{option('out', '...')}: a study writes over files of its own names."
        )


def finished(path: Path, digest: str) -> Folder | None:
    """The study of a folder, where it is this one and nothing is left to do."""
    folder = Folder.find(path)
    if folder is None or folder.record.digest != digest or not folder.is_whole:
        return None
    if folder.is_locked:
        with suppress(StoreError), Lock(path):  # left by a process that died just before its end: taken, and given back
            pass
    return folder


def open_folder(path: Path, record: StudyRecord, lock: Lock, space: Space) -> Folder:
    """The folder's study as it stands, or a new one."""
    if (folder := Folder.find(path, lock)) is None:
        folder = Folder.begin(path, record, lock, space.chain)
    refuse_another(folder, record)
    folder.sweep()
    if folder.record.complete and not folder.is_whole:
        folder.reopen()
    return folder


def refuse_another(folder: Folder | None, record: StudyRecord) -> None:
    """Where a folder holds another study than this, say so, field by field."""
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
        f"Choose another folder, {option('out', '...')}, or give the plan and the data of the study there."
    )


def _told_of_features(record: StudyRecord) -> str:
    features = record.data.features
    return "none" if features is None else f"{features.told} ({features.sha256[:8]})"


def _short(value: Any) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
