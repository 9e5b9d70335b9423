"""What this very data set is made of, what it cannot serve for, and under which terms: for the data set card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from core.small_cells import NOT_TOLD, hide_small_cells, told, told_share
from core.workload import Case, DataSetFacts, Description, Json
from core.workloads.vitaldb.doors import PAPER, Door, door_of
from core.workloads.vitaldb.features import FEATURES, Feature
from core.workloads.vitaldb.patient import Patient, patient_of
from core.workloads.vitaldb.selection import spell_cases

AGE_BANDS: tuple[tuple[str, float], ...] = (
    ("under 18", 18),
    ("18 to 39", 40),
    ("40 to 64", 65),
    ("65 to 79", 80),
    ("80 and over", float("inf")),
)
"""Name, and the age in years that is above it."""

NOT_STATED = "not stated"


def describe_data_set(facts: DataSetFacts) -> Description:
    """The description; counts of persons below five are not told."""
    door = door_of(facts.source)
    persons = _persons(facts.cases)
    return Description(
        summary="Windows of signals recorded during surgery, with drug rates and ventilator values that follow them.",
        purpose=_PURPOSE,
        source=f"{door.source if door else _SOURCE_UNKNOWN} {_selected(facts.selection)}",
        licence=door.licence if door else None,
        limits=_limits(facts.metadata, door),
        quality="\n".join([_persons_table(persons), _feature_table(facts.metadata["quality"])]),
        citations=door.citations
        if door
        else (f"Where the recordings are those of the open VitalDB data set: {PAPER}",),
        keywords=("medical", "anesthesia", "surgery", "vital-signs", "time-series", "tfrecord"),
        task_categories=("time-series-forecasting",),
    )


_PURPOSE = """\
Made for research: to train and judge models that forecast what is given and set during an anaesthetic (propofol,
remifentanil, noradrenaline, sevoflurane, ventilation) from the minutes before, and to learn representations of
intraoperative signals.

Not made for: decisions about patients, without a study that shows that a model does them good; conclusions about what
*should* be given (the targets are what was done, right or wrong); comparisons of persons, staff or hospitals; finding
out who somebody is."""

_SOURCE_UNKNOWN = "Recordings from a folder or bucket that does not tell whose they are."

_OPEN_SET_LIMIT = (
    "The open data set comes from ten of the 31 operating rooms of one hospital (Seoul National University Hospital)"
    " and from non-cardiac surgery (general, thoracic, urologic, gynaecologic). Other hospitals, countries, devices and"
    " operations are not in it. Of all its 6,388 cases noradrenaline was recorded in 1.4 %, 57 were under 18 years old,"
    " and 5.4 % had spinal anaesthesia or sedation."
)

_UNKNOWN_LIMIT = "Where the recordings come from is not known here, so nobody can say whom they stand for."


def _selected(selection: Json) -> str:
    # In one spelling: the same cases make the same card, in whatever order somebody asked for them.
    cases, where = spell_cases(selection.get("cases", "all")), selection.get("where")
    text = "All cases were selected" if cases == "all" else f"Selected were the cases {_code(cases)}"
    return f"{text}, of those with a clinical row where {_code(where)}." if where else f"{text}."


def _code(text: str) -> str:
    """Words of the user's on one line, in which Markdown sees nothing of its own."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def _limits(metadata: Json, door: Door | None) -> tuple[str, ...]:
    quality = metadata["quality"]
    read, features = quality["cases_read"], quality["features"]
    profiles = ", ".join(f"{name} {told_share(count, read)}" for name, count in quality["profiles"].items())
    syringes = ", ".join(f"{track} {content:g}" for track, content in metadata["concentrations"].items())
    imputed: dict[str, list[str]] = {}
    for name, count in quality["static_imputed_cases"].items():
        if count:
            imputed.setdefault(told_share(count, read), []).append(name)
    patients = "; ".join(f"{', '.join(names)} in {share} cases" for share, names in imputed.items())
    return (
        *([_OPEN_SET_LIMIT] if door else [_UNKNOWN_LIMIT]),
        f"Cases with a noradrenaline pump: {told_share(features['Noradrenalin_INF']['cases_with_signal'], read)}. A"
        " recorded pump may stand at 0. In all other cases the value is 0 throughout, so that a model that always says"
        " 0 looks good: judge it on the cases that have one.",
        "Cases without a ventilator (neither tidal volume nor PEEP):"
        f" {told_share(quality['cases_without_ventilator'], read)}."
        " A 0 of a ventilator feature means that nothing was connected, not that nothing was breathed.",
        f"Devices, by profile: {profiles or 'none'}. Devices differ in what they measure and how they average it.",
        "Drug rates are pump rates times the content that the syringe is taken to have (propofol in mg/mL, the others"
        f" in µg/mL): {syringes}. Recordings do not tell it.",
        "Boluses, blood products, fluids and events such as incision are not in the signals. Changes that follow them"
        " come without their cause.",
        f"The patient's values where the clinical table has none are defaults: {patients or 'none were needed'}. Body"
        " weight is part of every drug rate, and height of tidal volume, so a default there is an error there.",
        "Ages above 89 are recorded as 90. Missing sex counts as female.",
        "Windows of one case overlap and are alike: their number is no measure of how much there is to learn. Count"
        " cases and persons.",
    )


def _persons(cases: Iterable[Case]) -> list[Patient]:
    """One patient for each group: as its first case has it."""
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.group, case)
    rows = (case.attributes.get("row") for case in first.values())
    return [Patient() if row is None else patient_of(row) for row in rows]


def _persons_table(persons: Sequence[Patient]) -> str:
    sexes = Counter(
        NOT_STATED if "sex" in person.imputed else "male" if person.male else "female" for person in persons
    )
    ages = Counter(NOT_STATED if "age" in person.imputed else _band(person.age_y) for person in persons)
    rows = [
        *_rows("sex", sexes, ("female", "male")),
        *_rows("age in years", ages, (name for name, _ in AGE_BANDS)),
    ]
    return f"""\
### The persons

| | | persons |
|---|---|---|
{chr(10).join(rows)}

{len(persons):,} persons in all, each by their first case. "{NOT_TOLD.capitalize()}": one to four persons, or a number
that would give such a one away.
"""


def _rows(what: str, counts: Counter[str], names: Iterable[str]) -> list[str]:
    # That a value is missing tells nothing of a person.
    shown = {**hide_small_cells({name: counts[name] for name in names}), NOT_STATED: counts[NOT_STATED]}
    return [f"| {what} | {name} | {told(count)} |" for name, count in shown.items()]


def _band(age: float) -> str:
    return next(name for name, above in AGE_BANDS if age < above)


def _feature_table(quality: Json) -> str:
    rows = "\n".join(
        _feature_row(feature, quality["features"][feature.name], quality["cases_read"]) for feature in FEATURES
    )
    return f"""\
### How much was measured

| feature | cases that have it | seconds imputed | of the measured ones below the range | above it |
|---|---|---|---|---|
{rows}

Of {quality["cases_read"]:,} cases and {quality["seconds"] / 3600:,.1f} hours. What is outside a range is clipped to
its end. The distributions stand in `preprocessing_metadata.json`, in clinical units.
"""


def _feature_row(feature: Feature, figures: Json, cases: int) -> str:
    shares = (1 - figures["observed_share"], figures["clipped_below_share"], figures["clipped_above_share"])
    cells = " | ".join(f"{share:.1%}" for share in shares)
    return f"| {feature.name} | {told_share(figures['cases_with_signal'], cases)} | {cells} |"
