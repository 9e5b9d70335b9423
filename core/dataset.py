"""A published data set, for people who train: TensorFlow batches, numpy batches, or one case at a time.

>>> from core.dataset import iterate
>>> for batch in iterate("datasets/mine", "train"):  # doctest: +SKIP
...     print(batch["timeseries"].shape)
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadRequestError, IntegrityError
from core.examples.columns import column_dtype, row_shape
from core.examples.members import Compression, decompress_member, decompress_members
from core.examples.parse import iterate_records, parse_batch
from core.run.models import SPLITS, CaseEntry, Manifest, ShardEntry, Success
from core.schema import Field, Kind, Role
from core.store import Store, open_store
from core.workload import Columns, Outcome

Location = str | os.PathLike[str] | Store
Batch = dict[str, NDArray[Any]]

_SHARDS_AT_ONCE = 16


def load(
    path: Location,
    split: str,
    batch_size: int = 256,
    shuffle: bool = True,
    seed: int = 0,
    supervised: bool = False,
    *,
    shuffle_buffer: int = 4096,
    unverified: bool = False,
) -> Any:
    """The split as a ``tf.data.Dataset``; see :func:`open_data_set` and :meth:`DataSet.load`."""
    data_set = open_data_set(path, unverified=unverified)
    return data_set.load(split, batch_size, shuffle, seed, supervised, shuffle_buffer=shuffle_buffer)


def iterate(path: Location, split: str, batch_size: int = 256, *, unverified: bool = False) -> Iterator[Batch]:
    """The split as numpy batches; see :func:`open_data_set` and :meth:`DataSet.iterate`."""
    return open_data_set(path, unverified=unverified).iterate(split, batch_size)


def read_case(path: Location, case_id: str, *, unverified: bool = False) -> Batch:
    """All records of one case; see :func:`open_data_set` and :meth:`DataSet.read_case`."""
    return open_data_set(path, unverified=unverified).read_case(case_id)


def open_data_set(path: Location, *, unverified: bool = False) -> DataSet:
    """Open the folder ``datasets/<name>``, given as a path, a URI or a store.

    Raises
    ------
    BadRequestError
        ``not_a_data_set``: no manifest. ``not_verified``: no ``_SUCCESS``, and ``unverified`` is not set.
    IntegrityError
        ``manifest_changed``: the manifest is not the one that was verified, or cannot be read.
    """
    store = path if isinstance(path, Store) else open_store(path)
    try:
        content = store.get("manifest.json")
    except FileNotFoundError:
        raise BadRequestError(
            "not_a_data_set", "there is no manifest.json", where=store.uri, fix="Give the folder datasets/<name>."
        ) from None
    if not unverified:
        _check_success(store, content)
    try:
        return DataSet(store, Manifest.model_validate_json(content))
    except ValueError as error:
        raise IntegrityError("manifest_changed", f"manifest.json cannot be read: {error}", where=store.uri) from error


@dataclass(frozen=True)
class DataSet:
    """A data set and its manifest."""

    store: Store
    manifest: Manifest

    def load(
        self,
        split: str,
        batch_size: int = 256,
        shuffle: bool = True,
        seed: int = 0,
        supervised: bool = False,
        *,
        shuffle_buffer: int = 4096,
    ) -> Any:
        """The split as a ``tf.data.Dataset`` of batches: dicts by field name, each tensor [batch, *shape].

        With ``supervised`` the elements are pairs of dicts, (inputs, targets), by the roles of the schema; other
        fields are left out. Byte strings come as uint8 [batch, *shape, bytes_length].
        With ``shuffle`` shards are read in random order and records mixed within ``shuffle_buffer`` of them; ``seed``
        fixes the draws, but parallel reading makes the order differ between runs all the same. Without, the order
        is the manifest's.

        Raises
        ------
        BadRequestError
            ``no_tensorflow``, ``unknown_split`` or ``bad_batch_size``.
        """
        shards = self.shards(split)
        _check_batch_size(batch_size)
        tf = _tensorflow()
        paths = tf.data.Dataset.from_tensor_slices(tf.constant([shard.path for shard in shards], tf.string))
        if shuffle:
            paths = paths.shuffle(max(1, len(shards)), seed=seed)
        records = paths.interleave(
            lambda shard_path: self._records(tf, shard_path),
            cycle_length=_SHARDS_AT_ONCE if shuffle else 1,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=not shuffle,
        )
        # An epoch that lacks records then ends with an error, not early.
        records = records.apply(tf.data.experimental.assert_cardinality(sum(shard.records for shard in shards)))
        if shuffle:
            records = records.shuffle(shuffle_buffer, seed=seed)
        batches = records.batch(batch_size).map(
            lambda serialized: self._parsed(tf, serialized, supervised), num_parallel_calls=tf.data.AUTOTUNE
        )
        return batches.prefetch(tf.data.AUTOTUNE)

    def iterate(self, split: str, batch_size: int = 256) -> Iterator[Batch]:
        """The split in the manifest's order as numpy batches [batch, *shape]; the last one may be shorter.

        Every checksum is verified on the way. No TensorFlow is needed.

        Raises
        ------
        BadRequestError
            ``unknown_split`` or ``bad_batch_size``.
        IntegrityError
            While iterating: an object is missing, cut, damaged, or not what the manifest says.
        """
        shards = self.shards(split)
        _check_batch_size(batch_size)
        cases = (self._parsed_case(*found) for shard in shards for found in _members(self.store, shard))
        return _rebatched(cases, batch_size)

    def read_case(self, case_id: str) -> Batch:
        """All records of one case in order, [records, *shape]; one range read. No records where it was empty.

        Raises
        ------
        BadRequestError
            ``unknown_case``, or ``failed_case`` for one that stands in the quarantine.
        IntegrityError
            The object is missing, cut, damaged, or not what the manifest says.
        """
        shard, case = self._find(case_id)
        if case.outcome is Outcome.FAILED:
            raise BadRequestError("failed_case", f"the case failed ({case.reason}) and has no records", where=case_id)
        if not case.records:
            return {field.name: _no_rows(field) for field in self.manifest.schema_.fields}
        try:
            member = self.store.get_range(shard.path, case.offset, case.length)
        except FileNotFoundError as error:
            raise _missing(shard) from error
        return dict(self._parsed_case(shard, case, member))

    def shards(self, split: str) -> list[ShardEntry]:
        """The shards of a split that hold records. Raises BadRequestError (``unknown_split``)."""
        if split not in SPLITS:
            raise BadRequestError("unknown_split", f"there is no split {split!r}", fix=f"Use {', '.join(SPLITS)}.")
        return [shard for shard in self.manifest.shards if shard.split == split and shard.records]

    def _find(self, case_id: str) -> tuple[ShardEntry, CaseEntry]:
        for shard in self.manifest.shards:
            for case in shard.cases:
                if case.case_id == case_id:
                    return shard, case
        known = [case.case_id for shard in self.manifest.shards for case in shard.cases]
        examples = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        raise BadRequestError(
            "unknown_case", f"there is no case {case_id!r}", fix=f"The {len(known)} cases are {examples}."
        )

    def _parsed_case(self, shard: ShardEntry, case: CaseEntry, member: bytes) -> Columns:
        where = f"{shard.path}, case {case.case_id}"
        try:
            batch = parse_batch(self.manifest.schema_, decompress_member(member, self.manifest.compression))
        except IntegrityError as error:
            place = f"{where}, {error.where}" if error.where else where
            raise IntegrityError(error.code, error.what, where=place) from error
        if batch.records != case.records:
            raise IntegrityError("record_count", f"{batch.records} records, not {case.records}", where=where)
        return batch.columns

    def _records(self, tf: Any, shard_path: Any) -> Any:
        """The serialised examples of one shard as a ``tf.data.Dataset``."""
        if os.path.isabs(self.store.uri):
            kind = "GZIP" if self.manifest.compression is Compression.GZIP else ""
            return tf.data.TFRecordDataset(tf.strings.join([self.store.uri, shard_path], "/"), compression_type=kind)

        # TensorFlow reads local files only, without its io extension.
        def stream(key: bytes) -> Iterator[bytes]:
            pieces = self.store.stream(key.decode())
            return iterate_records(decompress_members(pieces, self.manifest.compression))

        return tf.data.Dataset.from_generator(stream, args=(shard_path,), output_signature=tf.TensorSpec((), tf.string))

    def _parsed(self, tf: Any, serialized: Any, supervised: bool) -> Any:
        fields = self.manifest.schema_.fields
        if supervised:
            fields = tuple(field for field in fields if field.role in (Role.INPUT, Role.TARGET))
        kinds = {Kind.FLOAT: tf.float32, Kind.INT64: tf.int64, Kind.BYTES: tf.string}
        features = {field.name: tf.io.FixedLenFeature(field.shape, kinds[field.kind]) for field in fields}
        values = tf.io.parse_example(serialized, features)
        for field in fields:
            if field.kind is Kind.BYTES:
                decoded = tf.io.decode_raw(values[field.name], tf.uint8)
                values[field.name] = tf.reshape(decoded, (-1, *row_shape(field)))
        if not supervised:
            return values
        return tuple(
            {field.name: values[field.name] for field in fields if field.role is role}
            for role in (Role.INPUT, Role.TARGET)
        )


def _check_success(store: Store, manifest: bytes) -> None:
    try:
        success = Success.model_validate_json(store.get("_SUCCESS"))
    except FileNotFoundError:
        raise BadRequestError(
            "not_verified",
            "there is no _SUCCESS: this data set has not passed verification",
            where=store.uri,
            fix="Run the verification, or pass unverified=True to look at it all the same.",
        ) from None
    except ValueError as error:
        raise IntegrityError("manifest_changed", f"_SUCCESS cannot be read: {error}", where=store.uri) from error
    if success.sha256.get("manifest.json") != hashlib.sha256(manifest).hexdigest():
        raise IntegrityError("manifest_changed", "manifest.json is not the one that was verified", where=store.uri)


def _tensorflow() -> Any:
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise BadRequestError(
            "no_tensorflow",
            f"TensorFlow cannot be imported ({error})",
            fix="Install it with: pip install 'casemill[train]'. iterate() works without.",
        ) from error


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise BadRequestError("bad_batch_size", f"batch_size must be at least 1, not {batch_size}")


def _members(store: Store, shard: ShardEntry) -> Iterator[tuple[ShardEntry, CaseEntry, bytes]]:
    """The member of each case with records, from one pass over the shard object."""
    pieces = store.stream(shard.path)
    waiting, at = bytearray(), 0
    for case in sorted((case for case in shard.cases if case.records), key=lambda case: case.offset):
        if case.offset != at:
            raise IntegrityError("manifest_changed", f"case {case.case_id} does not start at {at}", where=shard.path)
        while len(waiting) < case.length:
            try:
                piece = next(pieces, None)
            except FileNotFoundError as error:
                raise _missing(shard) from error
            if piece is None:
                raise IntegrityError("member_cut", f"the object ends in case {case.case_id}", where=shard.path)
            waiting += piece
        yield shard, case, bytes(waiting[: case.length])
        del waiting[: case.length]
        at += case.length


def _missing(shard: ShardEntry) -> IntegrityError:
    return IntegrityError("object_missing", "the manifest lists an object that is not there", where=shard.path)


def _no_rows(field: Field) -> NDArray[Any]:
    return np.empty((0, *row_shape(field)), column_dtype(field))


def _rebatched(parts: Iterator[Columns], size: int) -> Iterator[Batch]:
    """The same rows, ``size`` at a time."""
    waiting: list[Mapping[str, NDArray[Any]]] = []
    count = 0
    for part in parts:
        waiting.append(part)
        count += len(next(iter(part.values())))
        if count < size:
            continue
        joined = {name: np.concatenate([rows[name] for rows in waiting]) for name in part}
        whole = count - count % size
        for start in range(0, whole, size):
            yield {name: rows[start : start + size] for name, rows in joined.items()}
        waiting, count = [{name: rows[whole:] for name, rows in joined.items()}], count - whole
    if count:
        yield {name: np.concatenate([rows[name] for rows in waiting]) for name in waiting[0]}
