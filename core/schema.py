"""The shape of one training example, as data that the writer, the verifier and the loader share."""

from __future__ import annotations

import hashlib
import json
import math
from enum import Enum

from pydantic import BaseModel, ConfigDict, model_validator


class Kind(str, Enum):
    """The three value lists of ``tf.train.Feature``."""

    FLOAT = "float"
    INT64 = "int64"
    BYTES = "bytes"


class Role(str, Enum):
    """What a field is for."""

    INPUT = "input"
    TARGET = "target"
    MASK = "mask"
    PROVENANCE = "provenance"


class Field(BaseModel):
    """One key of the example.

    ``shape`` is the number of values along each axis (a BYTES field holds ``prod(shape)`` byte
    strings, each of ``bytes_length`` bytes). ``minimum`` and ``maximum`` are inclusive bounds in the
    units that are written; ``None`` means any finite value. ``labels`` names the entries of the last axis.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    kind: Kind
    shape: tuple[int, ...]
    role: Role
    minimum: float | None = None
    maximum: float | None = None
    bytes_length: int | None = None
    labels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Values in one example."""
        return math.prod(self.shape)


class Schema(BaseModel):
    """All fields of the example in alphabetical order, and which of them say whose example it is.

    ``case_field`` and ``group_field`` are INT64 fields of one value that verification holds against the
    plan, record by record (``None``: the example does not carry them). ``order_field`` rises strictly
    within a case, so that a record written twice shows. ``settings`` are the figures that change what the numbers mean
    (window length, step, horizon).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    fields: tuple[Field, ...]
    case_field: str | None
    group_field: str | None
    order_field: str
    settings: dict[str, int | float | str] = {}

    @model_validator(mode="after")
    def _check(self) -> Schema:
        names = [field.name for field in self.fields]
        if names != sorted(set(names)):
            raise ValueError(f"fields must be unique and in alphabetical order, not {names}")
        for key in filter(None, (self.case_field, self.group_field, self.order_field)):
            field = next((field for field in self.fields if field.name == key), None)
            if field is None or field.kind is not Kind.INT64 or field.size != 1:
                raise ValueError(f"{key!r} must be an int64 field of one value")
        return self

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def canonical_json(self) -> bytes:
        """The one spelling of this schema that is hashed: sorted keys, no blanks."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()

    def sha256(self) -> str:
        """Hex digest of :meth:`canonical_json`."""
        return hashlib.sha256(self.canonical_json()).hexdigest()
