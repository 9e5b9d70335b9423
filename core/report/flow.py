"""What is in the data set: the flow from the cohort to examples with every loss, the splits, and the cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from core.report.documents import RunDocuments, ShardFacts
from core.report.model import CaseLine, FlowStep, Loss, SplitLine
from core.run.models import SPLITS, CaseEntry
from core.run.split import TARGET_TWENTIETHS
from core.workload import Outcome

MOST_EXAMPLES = 5
MOST_CASES = 5_000
"""Of the table, so that the page stays small; cases with a loss or a flag come first."""

NO_OUTCOME = "no outcome"


def flow_steps(documents: RunDocuments) -> tuple[FlowStep, ...]:
    """From the planned cases to those with examples, as a CONSORT diagram has it."""
    entries = [entry for _, entry in committed_cases(documents)]
    planned = documents.plan.cases if documents.plan else ()
    groups_planned = {item.case.group for item in planned} or {entry.group for entry in entries}
    decided = {entry.case_id for entry in entries}
    open_cases = [item.case.id for item in planned if item.case.id not in decided]
    failed: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.outcome is Outcome.FAILED:
            failed[entry.reason].append(entry.case_id)
    read = [entry for entry in entries if entry.outcome is not Outcome.FAILED]
    done = [entry for entry in read if entry.outcome is Outcome.DONE]
    empty = [entry.case_id for entry in read if entry.outcome is Outcome.EMPTY]
    not_decided = [_loss("shard not committed: no outcome yet", open_cases)] if open_cases else []
    reasons = sorted(failed.items(), key=lambda item: (-len(item[1]), item[0]))
    return (
        FlowStep("Planned", len(planned) or len(entries), len(groups_planned), losses=tuple(not_decided)),
        FlowStep(
            "With an outcome",
            len(entries),
            _groups(entries),
            losses=tuple(_loss(f"failed: {reason}", ids) for reason, ids in reasons),
        ),
        FlowStep(
            "Usable",
            len(read),
            _groups(read),
            losses=(_loss("empty: not enough for a single example", empty),) if empty else (),
        ),
        FlowStep("With examples", len(done), _groups(done), records=sum(entry.records for entry in done)),
    )


def _loss(reason: str, ids: list[str]) -> Loss:
    return Loss(reason, len(ids), tuple(sorted(ids)[:MOST_EXAMPLES]))


def _groups(entries: Iterable[CaseEntry]) -> int:
    return len({entry.group for entry in entries})


def split_lines(documents: RunDocuments) -> tuple[SplitLine, ...]:
    """Each split as it is committed."""
    total = sum(shard.records for shard in documents.shards)
    lines = []
    for split in SPLITS:
        own = [shard for shard in documents.shards if shard.split == split]
        cases = [entry for shard in own for entry in shard.cases]
        records = sum(shard.records for shard in own)
        lines.append(
            SplitLine(
                split=split,
                cases=len(cases),
                done=sum(entry.outcome is Outcome.DONE for entry in cases),
                groups=_groups(cases),
                shards=len(own),
                records=records,
                bytes=sum(shard.bytes for shard in own),
                share=records / total if total else 0.0,
                target=TARGET_TWENTIETHS[split] / 20,
            )
        )
    return tuple(lines)


def groups_on_two_sides(documents: RunDocuments) -> int:
    """Groups that stand in more than one split: none, or the run fails its verification."""
    sides: dict[str, set[str]] = defaultdict(set)
    for shard, entry in committed_cases(documents):
        sides[entry.group].add(shard.split)
    return sum(len(found) > 1 for found in sides.values())


def case_lines(documents: RunDocuments, most: int = MOST_CASES) -> tuple[tuple[CaseLine, ...], int]:
    """The cases in the order of their ids, and how many there are. Where they are more than ``most``, those that
    something is to be said about are kept first."""
    seconds: Counter[str] = Counter()
    for shard in documents.shards:
        seconds.update(shard.made_by.case_seconds)
    lines = [
        CaseLine(
            entry.case_id, shard.split, shard.shard, entry.outcome.value, entry.reason, entry.detail, entry.flags,
            entry.records, seconds.get(entry.case_id),
        )
        for shard, entry in committed_cases(documents)
    ]  # fmt: skip
    decided = {line.case_id for line in lines}
    lines += [
        CaseLine(item.case.id, item.split, item.shard, NO_OUTCOME, "", "", (), 0, None)
        for item in (documents.plan.cases if documents.plan else ())
        if item.case.id not in decided
    ]
    kept = sorted(lines, key=lambda line: (not (line.reason or line.flags or line.outcome != "done"), line.case_id))
    return tuple(sorted(kept[:most], key=lambda line: line.case_id)), len(lines)


def committed_cases(documents: RunDocuments) -> Iterator[tuple[ShardFacts, CaseEntry]]:
    """Every case with an outcome, with its shard."""
    for shard in documents.shards:
        for entry in shard.cases:
            yield shard, entry
