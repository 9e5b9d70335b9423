"""Verification of a whole data set: what its shards hold, and what must be true of all of them together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from core.run.audit import Audit
from core.run.layout import shard_order
from core.run.models import (
    SPLITS,
    CaseEntry,
    Check,
    Manifest,
    ShardEntry,
    Split,
    SplitCounts,
    SplitDocument,
    Verification,
)
from core.run.split import TARGET_TWENTIETHS, split_of
from core.run.verify_shard import MOST_PROBLEMS, SHARD_CHECKS, ShardFindings
from core.schema import Schema
from core.workload import Outcome

SHARE_TOLERANCE = 0.05
"""How far a split may be from its target beyond what the largest group forces, as a share of all records."""

NO_AUDIT = Audit()
SHARD_DETAILS = {
    "shard objects": "{shards} shard objects are there",
    "checksums": "{bytes:,} bytes have the recorded sizes and SHA-256",
    "records": "{records:,} records pass both checksums and are as many as recorded, case by case",
    "content hash": "the records are those that were committed",
    "values": "every value is finite and in its range, every field has its shape",
    "provenance": "every record names its own case and group, in order, once",
}


def root_hash(schema: Schema, shards: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the schema and the shards' content hashes, (shard, hash) in the order of the splits (rule 1)."""
    digest = hashlib.sha256(schema.canonical_json())
    for _, content in sorted(shards, key=lambda item: shard_order(item[0])):
        digest.update(b"\n" + content.encode())
    return digest.hexdigest()


def verify_data_set(
    manifest: Manifest,
    split: SplitDocument,
    findings: Sequence[ShardFindings],
    planned: Mapping[str, str],
    strangers: Sequence[str],
    extra: Sequence[Check] = (),
    audit: Audit = NO_AUDIT,
) -> Verification:
    """Put the shards' findings and the manifest's own claims together.

    Parameters
    ----------
    findings
        One for each shard of the manifest.
    planned
        Every planned case id with its shard, by the plan or by ``split.json``.
    strangers
        Objects in the data set that the manifest does not name.
    extra
        Checks made by the caller, such as the seal's.
    audit
        The workload's, whose checks come last.
    """
    found_root = root_hash(manifest.schema_, ((item.shard, item.content_sha256) for item in findings))
    checks = [
        *extra,
        *(_shard_check(name, findings, strangers) for name in SHARD_CHECKS),
        _root_check(manifest, found_root),
        _case_check(manifest, planned),
        _count_check(manifest),
        _split_check(manifest, split),
        _share_check(manifest),
        _success_check(manifest),
        *audit.checks,
    ]
    return Verification(
        data_set=manifest.name,
        run_id=manifest.run_id,
        passed=all(check.passed for check in checks),
        root_hash=found_root,
        checks=tuple(checks),
        figures=audit.figures,
    )


def make_check(name: str, problems: Sequence[str], detail: str) -> Check:
    """A check that holds when there is no problem; ``detail`` is its figure then."""
    shown = tuple(problems[:MOST_PROBLEMS])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text = f"{problems[0]}{more}" if problems else detail
    return Check(name=name, passed=not problems, detail=text, problems=shown)


def _shard_check(name: str, findings: Sequence[ShardFindings], strangers: Sequence[str]) -> Check:
    problems = [problem for item in findings for problem in item.problems.get(name, [])]
    if name == SHARD_CHECKS[0]:
        problems += [f"{key} is not in the manifest" for key in strangers]
    detail = SHARD_DETAILS[name].format(
        shards=len(findings), bytes=sum(item.bytes for item in findings), records=sum(item.records for item in findings)
    )
    return make_check(name, problems, detail)


def _root_check(manifest: Manifest, found: str) -> Check:
    recorded = root_hash(manifest.schema_, ((shard.shard, shard.content_sha256) for shard in manifest.shards))
    problems = []
    if recorded != manifest.root_hash:
        problems.append("the manifest's root hash does not follow from its shards")
    if found != manifest.root_hash:
        problems.append("the root hash of what is there is another one")
    return make_check("root hash", problems, manifest.root_hash)


def _case_check(manifest: Manifest, planned: Mapping[str, str]) -> Check:
    """Every planned case has exactly one outcome, in the shard it was planned for."""
    homes: dict[str, list[str]] = {}
    for shard, case in _cases(manifest):
        homes.setdefault(case.case_id, []).append(shard.shard)
    problems = [f"case {name} was planned and has no outcome" for name in planned if name not in homes]
    problems += [f"case {name} has an outcome and was never planned" for name in homes if name not in planned]
    for name, shards in homes.items():
        if len(shards) > 1:
            problems.append(f"case {name} stands in {' and '.join(shards)}")
        elif name in planned and shards[0] != planned[name]:
            problems.append(f"case {name} stands in {shards[0]}, planned for {planned[name]}")
    for shard, case in _cases(manifest):
        with_records = case.outcome is Outcome.DONE
        with_reason = case.outcome is Outcome.FAILED
        if with_records != (case.records > 0) or with_reason != bool(case.reason):
            problems.append(f"{shard.shard}: case {case.case_id} is {case.outcome.value} with {case.records} records")
    return make_check("cases", problems, f"{len(planned):,} planned cases have one outcome each")


def _count_check(manifest: Manifest) -> Check:
    """The manifest's sums against its own entries."""
    cases = list(_cases(manifest))
    outcomes = Counter(case.outcome.value for _, case in cases)
    reasons = Counter(case.reason for _, case in cases if case.reason)
    problems = []
    for name, claimed, counted in (
        ("planned_cases", manifest.planned_cases, len(cases)),
        ("records", manifest.records, sum(shard.records for shard in manifest.shards)),
        ("outcomes", {name: count for name, count in manifest.outcomes.items() if count}, dict(outcomes)),
        ("reasons", dict(manifest.reasons), dict(reasons)),
        ("splits", manifest.splits, count_splits(manifest.shards)),
    ):
        if claimed != counted:
            problems.append(f"{name} is {claimed}, the entries give {counted}")
    return make_check("counts", problems, f"{manifest.records:,} records in {len(manifest.shards)} shards add up")


def _split_check(manifest: Manifest, split: SplitDocument) -> Check:
    sides: dict[str, set[str]] = {}
    problems = []
    for shard, case in _cases(manifest):
        sides.setdefault(case.group, set()).add(shard.split)
        # A rule of the workload's own is asked about every record, when that is read back.
        wanted = split_of(case.group, split.thresholds) if split.thresholds else shard.split
        if wanted != shard.split:
            problems.append(f"case {case.case_id} of group {case.group} is in {shard.split}, its rank says {wanted}")
    twice = {group: sorted(found) for group, found in sides.items() if len(found) > 1}
    problems += [f"group {group} is in {' and '.join(found)}" for group, found in twice.items()]
    for side in SPLITS:
        actual = {group for group, found in sides.items() if side in found}
        if actual != set(split.groups.get(side, ())):
            problems.append(f"split.json lists other groups for {side} than the manifest")
    return make_check("split", problems, f"{len(sides):,} groups, none on two sides")


def _share_check(manifest: Manifest) -> Check:
    """Shares of records near 70/15/15; one group cannot be cut, so the largest one widens the tolerance."""
    by_group: Counter[str] = Counter()
    for _, case in _cases(manifest):
        by_group[case.group] += case.records
    total = manifest.records
    if not total:
        return make_check("examples", ["no case has a single example: there is nothing to learn from"], "")
    tolerance = SHARE_TOLERANCE + max(by_group.values()) / total
    shares = record_shares(manifest)
    problems = [
        f"{side} has {share:.1%} of the records, wanted {TARGET_TWENTIETHS[side] / 20:.0%} within {tolerance:.1%}"
        " (the split is planned on estimated lengths; another --salt or more cases will do)"
        for side, share in shares.items()
        if abs(share - TARGET_TWENTIETHS[side] / 20) > tolerance
    ]
    return make_check("shares", problems, " / ".join(f"{side} {share:.1%}" for side, share in shares.items()))


def _success_check(manifest: Manifest) -> Check:
    rate = success_rate(case for _, case in _cases(manifest))
    problems = []
    if abs(rate - manifest.success_rate) > 1e-12:
        problems.append(f"the manifest says {manifest.success_rate:.4f}, the entries give {rate:.4f}")
    if rate < manifest.success_threshold:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(manifest.reasons.items()))
        problems.append(f"{rate:.1%} of the cases succeeded, wanted {manifest.success_threshold:.1%} ({reasons})")
    return make_check("success rate", problems, f"{rate:.1%} of the planned cases are done or empty")


def success_rate(cases: Iterable[CaseEntry]) -> float:
    """Done and empty cases over planned ones."""
    outcomes = [case.outcome for case in cases]
    return sum(outcome is not Outcome.FAILED for outcome in outcomes) / len(outcomes) if outcomes else 0.0


def record_shares(manifest: Manifest) -> dict[Split, float]:
    """Each split's share of all records."""
    return {
        side: sum(shard.records for shard in manifest.shards if shard.split == side) / max(manifest.records, 1)
        for side in SPLITS
    }


def count_splits(shards: Sequence[ShardEntry]) -> dict[Split, SplitCounts]:
    """What each split holds, from the shards' entries."""
    return {
        side: SplitCounts(
            shards=len(own),
            cases=sum(len(shard.cases) for shard in own),
            groups=len({case.group for shard in own for case in shard.cases}),
            records=sum(shard.records for shard in own),
            bytes=sum(shard.bytes for shard in own),
        )
        for side in SPLITS
        for own in [[shard for shard in shards if shard.split == side]]
    }


def _cases(manifest: Manifest) -> Iterable[tuple[ShardEntry, CaseEntry]]:
    return ((shard, case) for shard in manifest.shards for case in shard.cases)
