"""From a run's documents to all that its report says; pure but for ``look``, which shows a case."""

from __future__ import annotations

import json
from collections.abc import Callable

from core.report.documents import RunDocuments
from core.report.flow import case_lines, flow_steps, groups_on_two_sides, split_lines
from core.report.model import Fact, RunPage, SplitLine, Viewer, Work
from core.report.verdict import check_lines, verdict_of
from core.report.viewing import MOST_ODD, SAMPLE_CASES, odd_lines, sample_ids, view_cases
from core.report.words import count, duration, share, size
from core.report.work import money_of, work_of
from core.reporting import CaseTraces, Distribution, Oddity, Picture, ReportingWorkload
from core.run.verify import success_rate
from core.workload import Case, Outcome, Workload

Look = Callable[[Case], CaseTraces | str | None]


def gather(documents: RunDocuments, workload: Workload | None, look: Look | str, sample: int = SAMPLE_CASES) -> RunPage:
    """Everything that the page says.

    ``workload`` is None where it cannot be built here. ``look`` shows a case, or says why none can be shown.
    """
    request = documents.request
    distributions, pictures, oddities = _said_by(workload, documents)
    viewer = _viewer(documents, workload, oddities, look, sample)
    splits, work = split_lines(documents), work_of(documents)
    cases, total = case_lines(documents)
    return RunPage(
        run_id=request.run_id,
        data_set=request.data_set,
        workload=request.workload,
        verdict=verdict_of(documents),
        checks=check_lines(documents.verification),
        key_figures=_key_figures(documents, splits, work),
        flow=flow_steps(documents),
        splits=splits,
        groups_on_two_sides=groups_on_two_sides(documents),
        cases=cases,
        cases_total=total,
        distributions=distributions,
        pictures=pictures,
        oddities=odd_lines(oddities, viewer),
        money=(*money_of(documents), *_estimate(documents)),
        work=work,
        facts=_facts(documents),
        settings=(
            Fact("Configuration", _json(request.configuration), code=True),
            Fact("Selection", _json(request.selection), code=True),
        ),
        notes=request.notes,
        documents=tuple(sorted(documents.read, key=lambda line: line.name)),
        viewer=viewer,
    )


def _said_by(
    workload: Workload | None, documents: RunDocuments
) -> tuple[tuple[Distribution, ...], tuple[Picture, ...], tuple[Oddity, ...]]:
    if not isinstance(workload, ReportingWorkload):
        return (), (), ()
    cases = [item.case for item in documents.plan.cases] if documents.plan else []
    return (
        tuple(workload.distributions((figures for _, figures in documents.figures), documents.histograms)),
        tuple(workload.pictures(cases)),
        tuple(workload.oddities(documents.figures, MOST_ODD)),
    )


def _viewer(
    documents: RunDocuments, workload: Workload | None, oddities: tuple[Oddity, ...], look: Look | str, sample: int
) -> Viewer:
    if not isinstance(workload, ReportingWorkload):
        return Viewer(remarks=("This workload has no case viewer.",))
    if isinstance(look, str):
        return Viewer(remarks=(look,))
    done = [entry.case_id for shard in documents.shards for entry in shard.cases if entry.outcome is Outcome.DONE]
    reasons = {item.case_id: f"odd: {item.words}" for item in oddities}
    for case_id in sample_ids(done, sample):
        reasons[case_id] = f"in the sample; also {reasons[case_id]}" if case_id in reasons else "in the sample"
    cases = {item.case.id: item.case for item in documents.plan.cases} if documents.plan else {}
    return view_cases(reasons, cases, look)


def _key_figures(documents: RunDocuments, splits: tuple[SplitLine, ...], work: Work) -> tuple[Fact, ...]:
    entries = [entry for shard in documents.shards for entry in shard.cases]
    planned = len(documents.plan.cases) if documents.plan else len(entries)
    failed = sum(entry.outcome is Outcome.FAILED for entry in entries)
    facts = [
        Fact("Examples", f"{sum(line.records for line in splits):,}"),
        Fact("Cases with examples", f"{sum(line.done for line in splits):,} of {planned:,}"),
        Fact("Groups", f"{len({entry.group for entry in entries}):,}"),
        Fact("Failed cases", f"{failed:,}"),
        Fact(f"Success rate (wanted {share(documents.request.success_threshold)})", share(success_rate(entries))),
        Fact("Time", duration(work.busy_seconds) if work.attempts else "–"),
    ]
    if documents.cost and documents.cost.total_usd is not None:
        facts.append(money_of(documents)[0])
    return tuple(facts)


def _estimate(documents: RunDocuments) -> tuple[Fact, ...]:
    found = documents.estimate
    if found is None:
        return ()
    seconds = found.estimate.seconds
    guess = f"{duration(seconds.value)} ({duration(seconds.low)} to {duration(seconds.high)})" if seconds else "unknown"
    return (Fact("Estimated and taken", f"estimated {guess}; the last start took {duration(found.took_seconds)}"),)


def _facts(documents: RunDocuments) -> tuple[Fact, ...]:
    request, verification = documents.request, documents.verification
    thresholds = request.thresholds
    planned = documents.planned
    shards = count(len(planned.shards), "shard") if planned else "shards unknown"
    partitions = count(planned.partitions, "partition") if planned else "partitions unknown"
    stored = sum(shard.bytes for shard in documents.shards)
    return (
        Fact("Root hash", verification.root_hash if verification else "none: it was not verified", code=True),
        Fact("Run", request.run_id, code=True),
        Fact("Data set", request.data_set, code=True),
        Fact("Workload", request.workload),
        Fact("Code version", request.code_version, code=True),
        Fact("Image digest", request.image_digest or "none: no container", code=bool(request.image_digest)),
        Fact("Source", request.source or "none: this workload reads nothing", code=bool(request.source)),
        Fact("Plan SHA-256", request.plan_sha256, code=True),
        Fact("Schema SHA-256", request.schema_.sha256(), code=True),
        Fact(
            "Split",
            f"by group; salt {thresholds.salt!r}; training below rank {thresholds.validation:g}, validation below"
            f" {thresholds.test:g}, test above"
            if thresholds
            else "by the workload's own rule, asked again about every record that was read back",
        ),
        Fact(
            "Shards", f"{shards} of up to {count(request.shard_cases, 'case')} in {partitions}; {size(stored)} written"
        ),
        Fact("Compression", request.compression.value),
        Fact("Checkpoint", f"every {request.checkpoint_seconds:g} s"),
        Fact("Largest case", size(request.largest_case_bytes)),
    )


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
