"""Segments: finished cases of an unfinished shard, saved so that a lost machine costs a minute (design, rule 3).

A segment is a line with the SHA-256 of all that follows, a JSON line (the cases with the lengths of their members),
then the members.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from pydantic import ValidationError

from core.run.layout import RunLayout
from core.run.models import CaseEntry, Document, Json
from core.run.shard import FinishedCase
from core.store import Store

STAGING_TAG = {"casemill": "staging"}
"""By which a bucket's rule finds segments and removes them when nobody needs them any more."""


class _SavedCase(Document):
    entry: CaseEntry
    figures: Json
    histograms: dict[str, list[int]]


class _SegmentHeader(Document):
    first: int
    cases: tuple[_SavedCase, ...]


def write_segment(store: Store, layout: RunLayout, shard: str, first: int, cases: Sequence[FinishedCase]) -> str:
    """Save cases number ``first`` and following of a shard under the next free number; returns the key."""
    body = b"".join(case.member for case in cases)
    saved = tuple(
        _SavedCase(entry=case.entry, figures=case.figures, histograms=dict(case.histograms)) for case in cases
    )
    header = _SegmentHeader(first=first, cases=saved)
    content = json.dumps(header.model_dump(mode="json"), separators=(",", ":")).encode() + b"\n" + body
    data = hashlib.sha256(content).hexdigest().encode() + b"\n" + content
    number = len(store.list(layout.segments(shard)))
    while not store.put_if_absent(layout.segment(shard, number), data, STAGING_TAG):
        number += 1
    return layout.segment(shard, number)


def read_segments(store: Store, layout: RunLayout, shard: str, planned: Sequence[str]) -> list[FinishedCase]:
    """The longest run of finished cases, from the shard's first, that the segments hold.

    Segments of rival workers may overlap; each is used only for the cases that those before it do not have. One that
    is damaged or tells of other cases than ``planned`` (ids in order) is passed over: its cases are done again.
    """
    cases: list[FinishedCase] = []
    for item in store.list(layout.segments(shard)):
        found = _parse(store.get(item.key))
        if found is None:
            continue
        first, saved = found
        fresh = saved[len(cases) - first :] if first <= len(cases) else []
        ids = [case.entry.case_id for case in fresh]
        if ids == list(planned[len(cases) : len(cases) + len(ids)]):
            cases += fresh
    return cases


def _parse(data: bytes) -> tuple[int, list[FinishedCase]] | None:
    digest, _, content = data.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None
    line, _, body = content.partition(b"\n")
    try:
        header = _SegmentHeader.model_validate_json(line)
    except ValidationError:
        return None
    cases, offset = [], 0
    for saved in header.cases:
        member = body[offset : offset + saved.entry.length]
        offset += saved.entry.length
        cases.append(FinishedCase(saved.entry, member, saved.figures, saved.histograms))
    return header.first, cases
