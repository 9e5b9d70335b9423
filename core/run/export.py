"""Export: the shards of a split joined into one file, by byte copy."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from core.errors import BadRequestError, IntegrityError, TransientError
from core.examples.members import Compression
from core.run.layout import DataSetLayout
from core.run.models import SPLITS, Document, Manifest, ShardEntry
from core.run.publish import WHERE_DATA_SETS_ARE, read_success
from core.store import Store
from core.wrong_values import why_unreadable


class ExportedFile(Document):
    """One written file; ``compression`` is what a reader must be told."""

    path: str
    records: int
    bytes: int
    sha256: str
    compression: Compression


def export_single_files(store: Store, folder: Path) -> list[ExportedFile]:
    """Write ``train.tfrecord``, ``validation.tfrecord`` and ``test.tfrecord`` from a published data set.

    Gzip members and TFRecords both join by plain copying, so nothing is unpacked. Each file appears under its name
    only when it is complete.

    Raises
    ------
    BadRequestError
        Not a published data set, or the folder cannot be made or is part of a data set.
    IntegrityError
        A shard is not the one that was verified.
    TransientError
        The disk is full or fails.
    """
    layout = DataSetLayout("")
    if read_success(store, layout) is None:
        raise BadRequestError(
            "not_published", "no _SUCCESS: not a verified data set", where=store.uri, fix=WHERE_DATA_SETS_ARE
        )
    try:
        manifest = Manifest.model_validate_json(store.get(layout.manifest))
    except (FileNotFoundError, ValidationError) as error:
        raise IntegrityError("no_manifest", f"manifest.json: {why_unreadable(error)}", where=store.uri) from error
    _check_outside(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = "is a file, not a folder" if isinstance(error, FileExistsError) else error.strerror or str(error)
        raise BadRequestError("bad_location", what, where=str(folder), fix="Give another folder.") from error
    try:
        return [
            _join(
                store,
                [shard for shard in manifest.shards if shard.split == split],
                folder / f"{split}.tfrecord",
                manifest,
            )
            for split in SPLITS
        ]
    except OSError as error:
        raise TransientError(
            "storage", error.strerror or str(error), where=str(folder), fix="Free some space."
        ) from error


def _check_outside(folder: Path) -> None:
    """A file more in a data set, and it does not verify any longer."""
    absolute = folder.resolve()
    for place in (absolute, *absolute.parents):
        if (place / "_SUCCESS").exists() and (place / "manifest.json").exists():
            raise BadRequestError(
                "bad_location", f"it is part of the data set {place}", where=str(folder), fix="Give another folder."
            )


def _join(store: Store, shards: list[ShardEntry], path: Path, manifest: Manifest) -> ExportedFile:
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as target:
        try:
            for shard in shards:
                data = store.get(shard.path)
                if hashlib.sha256(data).hexdigest() != shard.object_sha256:
                    raise IntegrityError("shard_changed", "not the shard that was verified", where=shard.path)
                digest.update(data)
                target.write(data)
            target.flush()
            os.fsync(target.fileno())
            os.replace(target.name, path)
        except BaseException:
            os.unlink(target.name)
            raise
    return ExportedFile(
        path=str(path),
        records=sum(shard.records for shard in shards),
        bytes=sum(shard.bytes for shard in shards),
        sha256=digest.hexdigest(),
        compression=manifest.compression,
    )
