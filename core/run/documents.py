"""The documents of a data set that has passed verification, as bytes."""

from __future__ import annotations

import hashlib
import json

from core.run.assemble import Commits, build_metadata
from core.run.card import data_set_card
from core.run.croissant import croissant
from core.run.facts import portrait
from core.run.models import Json, Manifest, SplitDocument
from core.run.plan import Plan
from core.workload import Workload

_BEFORE_CROISSANT = ("manifest.json", "split.json", "preprocessing_metadata.json", "dataset_card.md")
_SEALED_BY_FORMAT = {
    "casemill-data-set/1": _BEFORE_CROISSANT,
    "casemill-data-set/2": (*_BEFORE_CROISSANT, "croissant.json"),
}


def sealed_documents(data_set_format: str) -> tuple[str, ...]:
    """The documents whose digests stand in ``_SUCCESS`` of a data set, by the ``format`` that its manifest names."""
    return _SEALED_BY_FORMAT[data_set_format]


def data_set_documents(
    plan: Plan,
    workload: Workload,
    manifest: Manifest,
    split: SplitDocument,
    commits: Commits,
    audit: Json | None = None,
) -> dict[str, bytes]:
    """Every sealed document by its name; a later one has the digests of those before it.

    ``audit`` is what the workload's audit reports, for the metadata.
    """
    metadata = build_metadata(plan, workload, commits, audit)
    documents = {
        "manifest.json": manifest.to_bytes(),
        "split.json": split.to_bytes(),
        "preprocessing_metadata.json": _json(metadata),
    }
    seen = portrait(plan, workload, manifest, split, metadata)
    digests = {name: digest for name, (_, digest) in _sizes_and_digests(documents).items()}
    documents["dataset_card.md"] = data_set_card(seen, digests).encode()
    documents["croissant.json"] = _json(croissant(seen, _sizes_and_digests(documents)))
    return documents


def _sizes_and_digests(documents: dict[str, bytes]) -> dict[str, tuple[int, str]]:
    return {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in documents.items()}


def _json(content: Json) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
