"""Rehearsal: a sample is run, killed, resumed, verified and compared before the whole cohort is tried."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from core.errors import BadRequestError
from core.run.assemble import read_commits
from core.run.case_cache import CacheUse
from core.run.disturb import kill_in_the_middle
from core.run.local import WorkloadFactory
from core.run.models import CommitRecord, RunRequest
from core.run.pipeline import RunResult, execute
from core.run.plan import DEFAULT_SALT, Plan, PlanOptions, make_plan
from core.run.plan_store import write_plan
from core.run.progress import Progress, read_progress
from core.run.projection import MeasuredCase, makespan
from core.run.rehearsal_models import (
    Disturbance,
    Measured,
    Rehearsal,
    RehearsalLimits,
    RehearsalScale,
    Sample,
)
from core.run.rehearsal_verdict import Findings, judge, project_run
from core.run.sample import Stratum, chosen_ids, draw_sample, sampled
from core.run.source import open_source
from core.store import Store, open_store
from core.workload import Case, Outcome, Workload

FOLDER = "rehearsals"
NEEDED_ABOVE_CASES = 200
"""A run of more cases says when no rehearsal of its configuration has passed."""

CHECKPOINT_SECONDS = 0.2
"""In the rehearsal, so that a short sample is killed between two segments too; no part of the content."""

KILL_TRIES = 3


@dataclass(frozen=True)
class RehearsalRequest:
    """The full run's plan, and how it is rehearsed.

    ``cache`` is filled by the undisturbed run of the sample. ``model``: a case's seconds on the machine that the time
    model (of ``model_version``) was measured on; the rehearsal measures this one.
    """

    plan: Plan
    workload: Workload
    build_workload: WorkloadFactory
    scale: RehearsalScale
    limits: RehearsalLimits
    share: float = 0.1
    seed: int = 0
    cache: CacheUse | None = None
    model: Callable[[Case], float] | None = None
    model_version: str = ""


def rehearse(store: Store, asked: RehearsalRequest, say: Callable[[str], None] = lambda text: None) -> Rehearsal:
    """Rehearse in ``rehearsals/<digest>/<n>/`` of the output location; nothing else is touched.

    Raises
    ------
    BadRequestError
        ``no_cases``: not one of the planned cases is in the source. And as :func:`core.run.plan.make_plan`.
    InterruptedRunError, TransientError, FatalError
        As :func:`core.run.pipeline.execute`.
    """
    request = asked.plan.request
    digest = configuration_digest(request)
    rehearsal_id = f"{digest}/{_next_number(store, digest)}"
    found = [entry.case for entry in asked.plan.cases if entry.case.key is not None]
    strata = draw_sample(found, asked.share, asked.seed)
    if not strata:
        raise BadRequestError("no_cases", "none of the cases is in the source", where=request.source or "")
    place = open_store(f"{store.uri}/{FOLDER}/{rehearsal_id}", create=True)
    drawn = [case for stratum in strata for case in stratum.drawn]
    say(f"rehearsal {rehearsal_id}: {len(drawn)} of {len(asked.plan.cases)} cases")
    say("1 of 2: an undisturbed run of the sample")
    whole = _run_undisturbed(place, asked, strata)
    say(f"2 of 2: the same, killed and resumed ({whole.result.seconds:.1f} s so far)")
    disturbance = _run_disturbed(place, asked, strata, whole)
    findings = Findings(
        plan=asked.plan,
        strata=strata,
        cases=measured_cases(whole.commits),
        measured=_measured(whole),
        startup_seconds=whole.startup_seconds(asked.scale.workers),
        sample_shard_bytes=max(commit.bytes for commit in whole.commits),
        disturbance=disturbance,
        checks=whole.result.verification.checks,
        model=asked.model,
    )
    projection = project_run(findings, asked.scale, asked.seed)
    reasons, remarks = judge(findings, projection, asked.limits)
    rehearsal = Rehearsal(
        rehearsal_id=rehearsal_id,
        digest=digest,
        workload=request.workload,
        code_version=request.code_version,
        model_version=asked.model_version,
        go=not reasons,
        reasons=tuple(reasons),
        remarks=tuple(remarks),
        limits=asked.limits,
        scale=asked.scale,
        sample=Sample(
            cases=len(drawn),
            of=len(asked.plan.cases),
            missing=len(asked.plan.cases) - len(found),
            bytes=sum(case.size for case in drawn),
            of_bytes=sum(case.size for case in found),
            strata=tuple(len(stratum.drawn) for stratum in strata),
            seed=asked.seed,
        ),
        measured=findings.measured,
        disturbance=disturbance,
        checks=findings.checks,
        projection=projection,
    )
    store.put(f"{FOLDER}/{rehearsal_id}/rehearsal.json", rehearsal.to_bytes())
    return rehearsal


def configuration_digest(request: RunRequest) -> str:
    """What a rehearsal speaks for: workload, configuration, source and code version."""
    content = [request.workload, request.configuration, request.source, request.code_version]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def find_passed(store: Store, request: RunRequest) -> Rehearsal | None:
    """The last rehearsal of this configuration here that said go; None where there is none that can be read."""
    keys = [item.key for item in store.list(f"{FOLDER}/{configuration_digest(request)}")]
    numbered = [
        (int(key.split("/")[2]), key) for key in keys if key.endswith("/rehearsal.json") and key.count("/") == 3
    ]
    for _, key in sorted(numbered, reverse=True):
        try:
            found = Rehearsal.model_validate_json(store.get(key))
        except (FileNotFoundError, ValidationError):
            continue  # of another version
        if found.go:
            return found
    return None


def _next_number(store: Store, digest: str) -> int:
    prefix = f"{FOLDER}/{digest}"
    numbers = {item.key.removeprefix(prefix + "/").split("/")[0] for item in store.list(prefix)}
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=0)


@dataclass
class _Undisturbed:
    result: RunResult
    commits: list[CommitRecord]
    progress: Progress
    work_seconds: float

    def startup_seconds(self, workers: int) -> float:
        """Work time that no case accounts for: starting the processes, reading the plan, commits."""
        return max(0.0, self.work_seconds - makespan([commit.made_by.seconds for commit in self.commits], workers))


@dataclass
class _Watch:
    """Notes when the work was last seen; the call after the last case is the end of the work."""

    started: float = field(default_factory=time.monotonic)
    last: float = 0.0

    def __call__(self, progress: Progress) -> None:
        self.last = time.monotonic() - self.started


def _run_undisturbed(place: Store, asked: RehearsalRequest, strata: tuple[Stratum, ...]) -> _Undisturbed:
    plan = _sample_plan(asked, strata, "undisturbed")
    watch = _Watch()
    workload = sampled(asked.workload, chosen_ids(strata))
    result = execute(place, plan, workload, asked.build_workload, asked.scale.workers, watch, asked.cache)
    return _Undisturbed(result, read_commits(place, plan), read_progress(place, plan), watch.last)


def _run_disturbed(
    place: Store, asked: RehearsalRequest, strata: tuple[Stratum, ...], whole: _Undisturbed
) -> Disturbance:
    """Kill and resume; again, and earlier, where the kill came too late."""
    moment = random.Random(asked.seed).uniform(0.2, 0.6) * whole.work_seconds
    for tries in range(1, KILL_TRIES + 1):
        plan = _sample_plan(asked, strata, f"disturbed-{tries}")
        write_plan(place, plan)
        kill = kill_in_the_middle(place, plan, asked.build_workload, asked.scale.workers, moment)
        if kill.hit:
            break
        moment /= 4
    result = execute(
        place, plan, sampled(asked.workload, chosen_ids(strata)), asked.build_workload, asked.scale.workers
    )
    return Disturbance(
        killed=kill.hit,
        tries=tries,
        restored=kill.saved_cases,
        root_hash=result.verification.root_hash,
        undisturbed_root_hash=whole.result.verification.root_hash,
    )


def _sample_plan(asked: RehearsalRequest, strata: tuple[Stratum, ...], data_set: str) -> Plan:
    """The sample as a run of its own, in shards of the full run's size. Thresholds of the split are chosen for it."""
    request = asked.plan.request
    options = PlanOptions(
        data_set=data_set,
        salt=request.thresholds.salt if request.thresholds else DEFAULT_SALT,
        shard_cases=request.shard_cases,
        compression=request.compression,
        # The rate is judged on its own, from the projection.
        success_threshold=0.0,
        checkpoint_seconds=CHECKPOINT_SECONDS,
        source_licence=request.source_licence,
        sample_of=len(asked.plan.cases),
    )
    workload = sampled(asked.workload, chosen_ids(strata))
    return make_plan(workload, open_source(request.source), request.selection, options)


def measured_cases(commits: list[CommitRecord]) -> dict[str, MeasuredCase]:
    """Time, size and outcome of each case, from the commit records."""
    return {
        case.case_id: MeasuredCase(
            seconds=commit.made_by.case_seconds[case.case_id],
            bytes_out=case.length,
            records=case.records,
            succeeded=case.outcome is not Outcome.FAILED,
        )
        for commit in commits
        for case in commit.cases
        if case.case_id in commit.made_by.case_seconds
    }


def _measured(whole: _Undisturbed) -> Measured:
    return Measured(
        work_seconds=whole.work_seconds,
        verify_seconds=max(0.0, whole.result.seconds - whole.work_seconds),
        case_seconds=sum(sum(commit.made_by.case_seconds.values()) for commit in whole.commits),
        bytes_out=sum(commit.bytes for commit in whole.commits),
        records=whole.result.manifest.records,
        reasons=whole.result.manifest.reasons,
        peak_memory_bytes=whole.progress.peak_memory_bytes,
    )
