"""A shard while it is made: finished cases, their gzip members, and the hashes over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.examples.deflate import Block
from core.examples.members import Compression, compress_records, decompress_members
from core.examples.overlap import find_overlap
from core.examples.pack import pack_blocks
from core.run.models import CaseEntry
from core.run.plan import PlannedCase
from core.schema import Schema
from core.workload import CaseResult, Json


@dataclass(frozen=True)
class FinishedCase:
    """One case ready to be stored: its entry (offset 0), its member, its figures."""

    entry: CaseEntry
    member: bytes
    figures: Json
    histograms: Mapping[str, list[int]]


@dataclass
class OpenShard:
    """The cases of a shard that are finished so far, in their order.

    ``content`` runs over the uncompressed records: it is the shard's identity (design, rule 1).
    """

    compression: Compression
    entries: list[CaseEntry] = field(default_factory=list)
    members: list[bytes] = field(default_factory=list)
    figures: dict[str, Json] = field(default_factory=dict)
    histograms: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    size: int = 0
    content: Any = field(default_factory=hashlib.sha256)

    def finish(self, planned: PlannedCase, result: CaseResult, schema: Schema) -> FinishedCase:
        """Pack, hash and compress a case's examples, block by block, and append the case.

        Raises
        ------
        BugError
            The workload's columns do not fit its schema.
        """
        blocks = pack_blocks(schema, result.columns) if result.records else ()
        member = compress_records(self._hashed(blocks), find_overlap(result.columns), self.compression)
        case = planned.case
        entry = CaseEntry(
            case_id=case.id,
            case_number=case.number,
            group=case.group,
            group_number=case.group_number,
            outcome=result.outcome,
            reason=result.reason,
            detail=result.detail,
            flags=result.flags,
            records=result.records,
            length=len(member),
        )
        histograms = {name: counts.tolist() for name, counts in result.histograms.items()}
        finished = FinishedCase(entry, member, result.figures, histograms)
        self._append(finished, result.histograms)
        return finished

    def restore(self, case: FinishedCase) -> None:
        """Append a case that an earlier attempt finished."""
        for _ in self._hashed(decompress_members((case.member,), self.compression)):
            pass
        self._append(case, {name: np.array(counts, np.int64) for name, counts in case.histograms.items()})

    def _hashed(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self.content.update(block)
            yield block
            del block  # or the next one could not have its place in memory

    def _append(self, case: FinishedCase, histograms: Mapping[str, NDArray[np.int64]]) -> None:
        self.entries.append(case.entry.model_copy(update={"offset": self.size, "length": len(case.member)}))
        self.members.append(case.member)
        self.size += len(case.member)
        if case.figures:
            self.figures[case.entry.case_id] = case.figures
        for name, counts in histograms.items():
            if name in self.histograms:
                self.histograms[name] += counts
            else:
                self.histograms[name] = counts.astype(np.int64)

    def object_bytes(self) -> bytes:
        """The shard object: the members, joined."""
        return b"".join(self.members)

    @property
    def records(self) -> int:
        """Records in all cases."""
        return sum(entry.records for entry in self.entries)
