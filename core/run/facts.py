"""What the documents for strangers, ``dataset_card.md`` and ``croissant.json``, are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.run.licence import stated_licence
from core.run.models import Json, Manifest, SplitDocument
from core.run.plan import Plan
from core.workload import DataSetFacts, DescribedWorkload, Description, Licence, Outcome, Workload


@dataclass(frozen=True)
class Portrait:
    """A data set that has passed verification, and what is said of it.

    ``example`` is the workload's text on one example. ``licence`` is None where nobody said it; ``stated`` says that a
    user did, and not the source. ``rehearsal``: nobody is to train on it.
    """

    manifest: Manifest
    split: SplitDocument
    example: str
    description: Description
    licence: Licence | None
    stated: bool
    rehearsal: bool = False

    @property
    def title(self) -> str:
        """The name as a heading, which a copy of the first lines alone must not make look like a data set's."""
        return f"{self.manifest.name} (rehearsal, not for training)" if self.rehearsal else self.manifest.name


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
    if plan.request.sample_of is not None:
        description = _of_rehearsal(description, len(plan.cases), plan.request.sample_of)
    stated = plan.request.source_licence
    return Portrait(
        manifest=manifest,
        split=split,
        example=workload.card(),
        description=description,
        licence=stated_licence(stated) if stated else description.licence,
        stated=stated is not None,
        rehearsal=plan.request.sample_of is not None,
    )


def _of_rehearsal(description: Description, cases: int, of: int) -> Description:
    sample = f"It holds {cases:,} of the {of:,} cases that a real run would take"
    return replace(
        description,
        summary=f"This is a rehearsal and not for training. {sample}. {description.summary}",
        purpose="None but to see whether the real run would go well (`casemill rehearse`). Do not train on it, and do"
        f" not publish it: {sample[0].lower()}{sample[1:]}, and its split is another one than that run's.",
        keywords=("rehearsal", *description.keywords),
    )


def _plain(workload: str) -> Description:
    return Description(
        summary=f"Examples made by the workload {workload}.",
        purpose="Nobody has said yet what this data set is for.",
        source="Nobody has said yet where the cases come from.",
    )
