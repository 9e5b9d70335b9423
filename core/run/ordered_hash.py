"""A data set's identity without its order: the same for the same records, however they were cut into cases and shards.

``root_hash`` names a data set as it is stored. Where the cut is a setting, such as the size of a block of samples, the
same records may be stored in many ways; this hash puts them back in order first.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from core.dataset import DataSet
from core.run.models import SPLITS
from core.schema import Schema
from core.workload import Columns

_RECORDS_AT_ONCE = 256


def ordered_hash(data_set: DataSet) -> str:
    """SHA-256 over the schema and the SHA-256 of every record, ordered by the record's case, where it names one, and
    its place in the schema's order field; of equals by their hash.

    A record's hash is over its values, field by field as the schema has them, little-endian. Every checksum is verified
    on the way. Some 50 bytes a record are held.

    Raises
    ------
    IntegrityError
        As :meth:`core.dataset.DataSet.iterate`.
    """
    schema = data_set.manifest.schema_
    places: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    digests: list[bytes] = []
    for split in SPLITS:
        for batch in data_set.iterate(split, _RECORDS_AT_ONCE):
            places.append(_places(batch, schema))
            digests.append(_digests(batch, schema))
    cases, orders = np.concatenate(places).T
    hashes = np.frombuffer(b"".join(digests), "V32")
    by_hash = np.argsort(hashes.view("S32") if len(hashes) else hashes, kind="stable")
    order = by_hash[np.lexsort((orders[by_hash], cases[by_hash]))]
    return hashlib.sha256(schema.canonical_json() + hashes[order].tobytes()).hexdigest()


def _places(batch: Columns, schema: Schema) -> NDArray[np.int64]:
    """Case and order of each record, [n, 2]; the case is 0 where records name none."""
    order = batch[schema.order_field].reshape(-1).astype(np.int64)
    case = batch[schema.case_field].reshape(-1).astype(np.int64) if schema.case_field else np.zeros_like(order)
    return np.stack([case, order], axis=1)


def _digests(batch: Columns, schema: Schema) -> bytes:
    """The hash of each record, one after the other."""
    count = len(batch[schema.order_field])
    fields = [
        np.ascontiguousarray(batch[field.name]).astype(batch[field.name].dtype.newbyteorder("<"), copy=False)
        for field in schema.fields
    ]
    rows = [np.ascontiguousarray(values).reshape(count, -1).view(np.uint8) for values in fields if values[0].size]
    return b"".join(hashlib.sha256(row).digest() for row in np.concatenate(rows, axis=1))
