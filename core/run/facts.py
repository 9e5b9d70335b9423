"""What the documents for strangers, ``dataset_card.md`` and ``croissant.json``, are made from."""

from __future__ import annotations

from dataclasses import dataclass

from core.run.licence import stated_licence
from core.run.models import Json, Manifest, SplitDocument
from core.run.plan import Plan
from core.workload import DataSetFacts, DescribedWorkload, Description, Licence, Outcome, Workload


@dataclass(frozen=True)
class Portrait:
    """A data set that has passed verification, and what is said of it.

    ``example`` is the workload's text on one example. ``licence`` is None where nobody said it; ``stated`` says that a
    user did, and not the source.
    """

    manifest: Manifest
    split: SplitDocument
    example: str
    description: Description
    licence: Licence | None
    stated: bool


def portrait(plan: Plan, workload: Workload, manifest: Manifest, split: SplitDocument, metadata: Json) -> Portrait:
    """Put together what the run, the workload and the user say. ``metadata`` is the workload's."""
    done = {
        case.case_id
        for shard in manifest.shards
        for case in shard.cases
        if case.outcome is Outcome.DONE
    }  # fmt: skip
    cases = [entry.case for entry in plan.cases if entry.case.id in done]
    facts = DataSetFacts(plan.request.source, plan.request.selection, cases, metadata)
    description = workload.describe(facts) if isinstance(workload, DescribedWorkload) else _plain(workload.name)
    stated = plan.request.source_licence
    return Portrait(
        manifest=manifest,
        split=split,
        example=workload.card(),
        description=description,
        licence=stated_licence(stated) if stated else description.licence,
        stated=stated is not None,
    )


def _plain(workload: str) -> Description:
    return Description(
        summary=f"Examples made by the workload {workload}.",
        purpose="Nobody has said yet what this data set is for.",
        source="Nobody has said yet where the cases come from.",
    )
