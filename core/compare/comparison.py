"""What differs between two sides: a document, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from core.compare.drift import Drift, Sampled, Verdict, drift
from core.compare.side import CaseState, Effort, Feature, Side
from core.leaves import differing
from core.run.models import SPLITS, Document, Json, Split


class SideSummary(Document):
    """Who is compared. ``doubts`` say why a side does not count as verified."""

    location: str
    kind: Literal["data set", "run"]
    name: str
    run_id: str
    workload: str
    code_version: str
    root_hash: str | None
    verified: bool
    doubts: tuple[str, ...]
    remarks: tuple[str, ...]
    cases: int
    outcomes: dict[str, int]
    records: int
    effort: Effort


class CaseChange(Document):
    """A case that both have and that is not the same in both; ``first`` and ``second`` in words."""

    case_id: str
    first: str
    second: str


class Common(Document):
    """Names that both have, counted, and those that one has alone, in order."""

    both: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


class SplitFigures(Document):
    """What a split holds."""

    cases: int = 0
    groups: int = 0
    records: int = 0


class SplitChange(Document):
    """A split on both sides."""

    split: Split
    first: SplitFigures
    second: SplitFigures


class FeatureSide(Document):
    """A feature on one side: values counted, their mean, shares [below, bins…, above], and the workload's figures."""

    values: int = 0
    mean: float | None = None
    shares: tuple[float, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict)


class FeatureChange(Document):
    """A feature on both sides and how far its distributions are apart; figures None and a reason where that cannot be
    said. ``distance`` is in ``unit``, ``distance_share`` is the same as a share of the range."""

    name: str
    unit: str
    psi: float | None = None
    psi_by_chance: float | None = None
    ks: float | None = None
    distance: float | None = None
    distance_share: float | None = None
    verdict: Verdict | Literal["not comparable"] = "not comparable"
    why: str = ""
    first: FeatureSide
    second: FeatureSide


class Change(Document):
    """A setting that differs; ``None`` where a side does not have it."""

    path: str
    first: Any = None
    second: Any = None


class Comparison(Document):
    """``casemill compare --json``.

    ``same_data``: the same cases with the same outcomes on the same sides, the same schema and root hash; names,
    versions, settings, time and cost do not count.
    """

    format: Literal["casemill-comparison/1"] = "casemill-comparison/1"
    first: SideSummary
    second: SideSummary
    same_data: bool
    same_root_hash: bool
    cases: Common
    groups: Common
    outcomes: tuple[CaseChange, ...]
    sides: tuple[CaseChange, ...]
    other_groups: tuple[CaseChange, ...]
    records: tuple[CaseChange, ...]
    splits: tuple[SplitChange, ...]
    features: tuple[FeatureChange, ...]
    schema_changes: tuple[Change, ...]
    configuration: tuple[Change, ...]
    settings: tuple[Change, ...]


def compare(first: Side, second: Side) -> Comparison:
    """Everything that differs; the order of the sides only decides what is called first."""
    shared = [name for name in first.cases if name in second.cases]
    pairs = [(name, first.cases[name], second.cases[name]) for name in shared]
    cases = _common(first.cases, second.cases)
    outcomes = _changes((name, _outcome(a), _outcome(b)) for name, a, b in pairs)
    sides = _changes((name, a.split, b.split) for name, a, b in pairs)
    groups = _changes((name, a.group, b.group) for name, a, b in pairs)
    schema_changes = _differences(_schema_tree(first), _schema_tree(second))
    same_root_hash = first.root_hash is not None and first.root_hash == second.root_hash
    differs = cases.only_first or cases.only_second or outcomes or sides or groups or schema_changes
    both_configured = first.configuration is not None and second.configuration is not None
    return Comparison(
        first=_summary(first),
        second=_summary(second),
        same_data=same_root_hash and not differs,
        same_root_hash=same_root_hash,
        cases=cases,
        groups=_common({case.group for case in first.cases.values()}, {case.group for case in second.cases.values()}),
        outcomes=outcomes,
        sides=sides,
        other_groups=groups,
        records=_changes((name, str(a.records), str(b.records)) for name, a, b in pairs),
        splits=tuple(
            SplitChange(split=split, first=_split_figures(first, split), second=_split_figures(second, split))
            for split in SPLITS
        ),
        features=tuple(
            _feature(name, first, second) for name in dict.fromkeys([*first.features, *second.features])
        ),
        schema_changes=schema_changes,
        configuration=_differences(first.configuration, second.configuration) if both_configured else (),
        settings=_differences(*_known_to_both(first.settings, second.settings)),
    )  # fmt: skip


def _summary(side: Side) -> SideSummary:
    outcomes = [case.outcome for case in side.cases.values()]
    return SideSummary(
        location=side.location,
        kind=side.kind,
        name=side.name,
        run_id=side.run_id,
        workload=side.workload,
        code_version=side.code_version,
        root_hash=side.root_hash,
        verified=not side.doubts,
        doubts=side.doubts,
        remarks=side.remarks,
        cases=len(side.cases),
        outcomes={name: outcomes.count(name) for name in sorted(set(outcomes))},
        records=sum(case.records for case in side.cases.values()),
        effort=side.effort,
    )


def _common(first: Iterable[str], second: Iterable[str]) -> Common:
    a, b = set(first), set(second)
    return Common(both=len(a & b), only_first=tuple(sorted(a - b)), only_second=tuple(sorted(b - a)))


def _changes(found: Iterable[tuple[str, str, str]]) -> tuple[CaseChange, ...]:
    return tuple(CaseChange(case_id=name, first=a, second=b) for name, a, b in sorted(found) if a != b)


def _outcome(case: CaseState) -> str:
    return f"{case.outcome} ({case.reason})" if case.reason else case.outcome


def _split_figures(side: Side, split: Split) -> SplitFigures:
    own = [case for case in side.cases.values() if case.split == split]
    return SplitFigures(
        cases=len(own), groups=len({case.group for case in own}), records=sum(case.records for case in own)
    )


def _feature(name: str, first: Side, second: Side) -> FeatureChange:
    a, b = first.features.get(name, Feature()), second.features.get(name, Feature())
    known = a.histogram or b.histogram
    change = FeatureChange(
        name=name,
        unit=known.unit if known else "",
        first=_feature_side(a),
        second=_feature_side(b),
        why=_why_not(a, b),
    )
    if change.why or a.histogram is None or b.histogram is None:
        return change
    sampled = Sampled(_cases_of(a, first), _cases_of(b, second), _shared(first, second))
    found = drift(a.histogram, b.histogram, sampled)
    return change.model_copy(update=_drift_fields(found, a.histogram.maximum - a.histogram.minimum))


def _drift_fields(found: Drift, span: float) -> Json:
    return {
        "psi": found.psi,
        "psi_by_chance": found.chance,
        "ks": found.ks,
        "distance": found.distance,
        "distance_share": found.distance / span if span > 0 else 0.0,
        "verdict": found.verdict,
    }


def _why_not(a: Feature, b: Feature) -> str:
    if a.histogram is None or b.histogram is None:
        where = " and ".join(name for name, side in (("A", a), ("B", b)) if side.histogram is None)
        return f"no histogram in {where}"
    if not a.histogram.has_bins_of(b.histogram):
        return "range, unit or bins differ"
    empty = " and ".join(name for name, side in (("A", a), ("B", b)) if side.histogram and not side.histogram.values)
    return f"no values in {empty}" if empty else ""


def _feature_side(feature: Feature) -> FeatureSide:
    histogram = feature.histogram
    if histogram is None:
        return FeatureSide(figures=dict(feature.figures))
    return FeatureSide(
        values=histogram.values,
        mean=histogram.mean() if histogram.values else None,
        shares=tuple(round(float(share), 9) for share in histogram.shares()),
        figures=dict(feature.figures),
    )


def _cases_of(feature: Feature, side: Side) -> int:
    """How many cases a distribution is made of: as the workload says, else all that gave examples."""
    counted = feature.figures.get("cases_with_signal")
    return int(counted) if counted else len(_done(side))


def _shared(first: Side, second: Side) -> float:
    """The part of all cases with examples that both have."""
    a, b = _done(first), _done(second)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0


def _done(side: Side) -> set[str]:
    return {name for name, case in side.cases.items() if case.outcome == "done"}


def _schema_tree(side: Side) -> Json:
    """The schema with its fields by name, so that a new field shows as one."""
    content = side.schema.model_dump(mode="json")
    return {**content, "fields": {field.pop("name"): field for field in content["fields"]}}


def _known_to_both(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Json, Json]:
    names = [name for name in first if name in second]
    return {name: first[name] for name in names}, {name: second[name] for name in names}


def _differences(first: Any, second: Any) -> tuple[Change, ...]:
    return tuple(Change(path=path, first=a, second=b) for path, (a, b) in differing(first, second).items())
