"""From what a rehearsal found to the full run's figures, and to go or no-go; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.run.models import Check
from core.run.plan import Plan
from core.run.projection import Estimate, MeasuredCase, Totals, makespan, project, share_bounds
from core.run.rehearsal_models import Disturbance, Measured, Projection, RehearsalLimits, RehearsalScale
from core.run.sample import Stratum
from core.workload import Case

PLAN_BYTES_PER_CASE = 4_000
"""Memory that a worker holds for each planned case; 3.1 kB measured on the VitalDB workload's plans."""

NOT_REHEARSED = ("shares", "success rate")
"""Checks that say nothing in a sample: its split is its own, and the rate is judged from the projection."""


@dataclass(frozen=True)
class Findings:
    """What the sample's two runs showed; ``plan`` is the full run's.

    ``model``: a case's seconds on the machine that the time model was measured on.
    """

    plan: Plan
    strata: tuple[Stratum, ...]
    cases: Mapping[str, MeasuredCase]
    measured: Measured
    startup_seconds: float
    sample_shard_bytes: int
    disturbance: Disturbance
    checks: tuple[Check, ...]
    model: Callable[[Case], float] | None = None

    @property
    def without_outcome(self) -> list[str]:
        """Cases of the sample that were not measured."""
        return [case.id for stratum in self.strata for case in stratum.drawn if case.id not in self.cases]


def project_run(findings: Findings, scale: RehearsalScale, seed: int) -> Projection:
    """The full run: locally with ``workers`` processes, and as an array of one-processor machines like this one."""
    nothing = MeasuredCase(0.0, 0, 0, False)
    cases = {**dict.fromkeys(findings.without_outcome, nothing), **findings.cases}
    totals = project(findings.strata, cases, seed, findings.model)
    seconds, sizes = _by_shard(findings.plan, totals.seconds_by_case), _by_shard(findings.plan, totals.bytes_by_case)
    verify = findings.measured.verify_seconds * totals.bytes_out.value / max(1, findings.measured.bytes_out)
    worker_seconds = totals.seconds.plus(verify)
    planned = len(findings.plan.cases)
    drawn = sum(len(stratum.drawn) for stratum in findings.strata)
    found = sum(len(stratum.cases) for stratum in findings.strata)
    checkpoint = findings.plan.request.checkpoint_seconds
    busy_seconds = worker_seconds.plus(scale.array * findings.startup_seconds)
    return Projection(
        seconds_local=_spread(makespan(list(seconds.values()), scale.workers), totals).plus(
            findings.startup_seconds + verify
        ),
        # Partitions are filled with the heaviest shards first.
        seconds_array=_spread(makespan(sorted(seconds.values(), reverse=True), scale.array), totals).plus(
            findings.startup_seconds + verify
        ),
        worker_hours=busy_seconds.times(1 / 3600),
        machine_factor=totals.machine,
        output_bytes=totals.bytes_out,
        records=totals.records,
        success_rate=share_bounds(min(1.0, totals.succeeded / found), drawn, found).times(found / planned),
        # Segments are never removed, and hold every case of a shard that is open for longer than a checkpoint.
        staging_bytes=round(sum(size for shard, size in sizes.items() if seconds[shard] >= checkpoint)),
        peak_memory_bytes=_peak_memory(findings, max(sizes.values())),
        failures=_failures(findings),
        dollars=busy_seconds.times(scale.price_per_hour / 3600) if scale.price_per_hour is not None else None,
    )


def _by_shard(plan: Plan, by_case: Mapping[str, float]) -> dict[str, float]:
    found = {shard.shard: 0.0 for shard in plan.shards.shards}
    for entry in plan.cases:
        found[entry.shard] += by_case.get(entry.case.id, 0.0)
    return found


def _spread(value: float, totals: Totals) -> Estimate:
    """The value with the relative spread of the total seconds."""
    whole = totals.seconds
    low, high = (whole.low / whole.value, whole.high / whole.value) if whole.value > 0 else (1.0, 1.0)
    return Estimate(value=value, low=value * low, high=value * high)


def _peak_memory(findings: Findings, largest_shard: float) -> int:
    """The measured peak, with what larger shards (held twice when they are joined) and a longer plan add to it."""
    more_shard = max(0.0, largest_shard - findings.sample_shard_bytes) * 2
    more_cases = len(findings.plan.cases) - sum(len(stratum.drawn) for stratum in findings.strata)
    return round(findings.measured.peak_memory_bytes + more_shard + more_cases * PLAN_BYTES_PER_CASE)


def _failures(findings: Findings) -> dict[str, float]:
    """Failed cases of the full run by reason, the sample's share of each scaled up; missing ones are counted."""
    drawn = sum(len(stratum.drawn) for stratum in findings.strata)
    found = sum(len(stratum.cases) for stratum in findings.strata)
    expected = {reason: count / drawn * found for reason, count in findings.measured.reasons.items()}
    missing = len(findings.plan.cases) - found
    if missing:
        expected["missing"] = expected.get("missing", 0.0) + missing
    return expected


def judge(findings: Findings, projection: Projection, limits: RehearsalLimits) -> tuple[list[str], list[str]]:
    """Reasons not to go, and remarks that do not decide."""
    return list(_reasons(findings, projection, limits)), list(_remarks(findings, projection))


def _reasons(findings: Findings, projection: Projection, limits: RehearsalLimits) -> Sequence[str]:
    reasons = []
    disturbance, rate = findings.disturbance, projection.success_rate
    for check in findings.checks:
        if not check.passed and check.name not in NOT_REHEARSED:
            reasons.append(f"the sample is not verified: {check.name}: {check.detail}")
    if not disturbance.killed:
        reasons.append("the run was over before it could be killed: resuming is not proven, take more cases")
    if not disturbance.identical:
        reasons.append("the killed and resumed run gave other data than the undisturbed one")
    if findings.without_outcome:
        names = findings.without_outcome
        reasons.append(f"{len(names)} cases of the sample have no outcome, the first is {names[0]}")
    if rate.value < limits.success_rate:
        reasons.append(f"{rate.value:.1%} of the cases would succeed, {limits.success_rate:.1%} are needed")
    if not projection.records.value:
        reasons.append("not one example came out of the sample")
    if limits.memory_bytes is not None and projection.peak_memory_bytes > limits.memory_bytes:
        peak, most = projection.peak_memory_bytes / 1e6, limits.memory_bytes / 1e6
        reasons.append(f"a worker would need {peak:,.0f} MB of memory, {most:,.0f} MB are allowed")
    if limits.time_seconds is not None and projection.seconds_local.value > limits.time_seconds:
        took, most = projection.seconds_local.value, limits.time_seconds
        reasons.append(f"the run would take {took:,.0f} s, {most:,.0f} s are allowed")
    return reasons


def _remarks(findings: Findings, projection: Projection) -> Sequence[str]:
    remarks = []
    missing = len(findings.plan.cases) - sum(len(stratum.cases) for stratum in findings.strata)
    if missing:
        remarks.append(f"{missing} cases are not in the source and count as failed")
    if projection.dollars is None:
        remarks.append("the cost is unknown: give --price-per-hour")
    if findings.disturbance.killed and not findings.disturbance.restored:
        remarks.append("nothing had been saved when the kill came")
    return remarks
