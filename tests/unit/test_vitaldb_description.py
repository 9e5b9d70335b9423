"""What the workload says of a data set: licence by door, limits in figures, no small counts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from core.workload import Case, DataSetFacts, DescribedWorkload, Description
from core.workloads.vitaldb.features import FEATURE_NAMES
from core.workloads.vitaldb.patient import STATIC_NAMES
from core.workloads.vitaldb.workload import VitaldbWorkload

Json = dict[str, Any]
PHYSIONET = "s3://physionet-open/vitaldb/1.0.0/vital_files"
WORKLOAD = VitaldbWorkload({})


def case(number: int, subject: int, row: Json | None) -> Case:
    attributes = {} if row is None else {"row": row}
    return Case(f"{number:04d}", number, str(subject), subject, f"{number:04d}.vital", 1, 1, attributes)


def person(age: str, sex: str) -> Json:
    return {"age": age, "sex": sex, "height": "170", "weight": "70", "bmi": "", "asa": "2"}


def figures(observed: set[str], imputed: tuple[str, ...] = ()) -> Json:
    zeros = dict.fromkeys(FEATURE_NAMES, 0)
    return {
        "profile": "vitaldb",
        "seconds": 100,
        "observed_seconds": {name: 80 if name in observed else 0 for name in FEATURE_NAMES},
        "below_range_seconds": {**zeros, "HR": 8},
        "above_range_seconds": zeros,
        "cleaned": {},
        "units": {},
        "static_imputed": list(imputed),
    }


def described(
    cases: list[Case], seen: list[Json], source: str | None = PHYSIONET, selection: Json | None = None
) -> Description:
    assert isinstance(WORKLOAD, DescribedWorkload)
    return WORKLOAD.describe(DataSetFacts(source, selection or {}, cases, WORKLOAD.metadata(seen, {})))


def limit(description: Description, start: str) -> str:
    return next(text for text in description.limits if text.startswith(start))


def test_limits_in_figures() -> None:
    everything = set(FEATURE_NAMES)
    plain = everything - {"Noradrenalin_INF"}
    seen = [figures(everything)] * 6 + [figures(plain)] * 87 + [figures(plain - {"TV", "PEEP"}, ("height", "bmi"))] * 7
    found = described([], seen)
    assert "noradrenaline pump: 6.0% (6 of 100)." in limit(found, "Cases with a noradrenaline")
    assert "PEEP): 7.0% (7 of 100)." in limit(found, "Cases without a ventilator")
    assert "height, bmi in 7.0% (7 of 100) cases." in limit(found, "The patient's values")
    assert "vitaldb 100.0% (100 of 100)" in limit(found, "Devices")
    assert "Orchestra/RFTN50_RATE 50" in limit(found, "Drug rates")
    assert "| HR | 100.0% (100 of 100) | 20.0% | 10.0% | 0.0% |" in found.quality
    assert "| TV | 93.0% (93 of 100) | 25.6% | 0.0% | 0.0% |" in found.quality


def test_few_cases_are_not_counted() -> None:
    found = described([], [figures({"HR", "Noradrenalin_INF"}, STATIC_NAMES)] * 3 + [figures({"HR", "TV"})] * 7)
    assert "fewer than 5 of 10" in limit(found, "Cases with a noradrenaline")
    assert "age, sex, height, weight, bmi, asa in fewer than 5 of 10 cases" in limit(found, "The patient's values")
    assert not re.search(r"\b3 of 10\b", "\n".join([*found.limits, found.quality]))


def test_persons_are_counted_once_and_small_counts_are_hidden() -> None:
    men = [case(number, 1000 + number, person("50", "M")) for number in range(20)]
    women = [case(100 + number, 2000 + number, person("70", "F")) for number in range(6)]
    again = [case(300 + number, 2000 + number, person("71", "F")) for number in range(6)]
    children = [case(200 + number, 3000 + number, person("0.5", "F")) for number in range(2)]
    unknown = [case(400, 4000, None)]
    found = described([*men, *women, *again, *children, *unknown], [])
    rows = dict(re.findall(r"^\| ((?:sex|age in years) \| [^|]+) \| ([^|]+) \|$", found.quality, re.MULTILINE))
    assert rows == {
        "sex | female": "8", "sex | male": "20", "sex | not stated": "1",
        "age in years | under 18": "not told", "age in years | 18 to 39": "none", "age in years | 40 to 64": "20",
        "age in years | 65 to 79": "not told", "age in years | 80 and over": "none", "age in years | not stated": "1",
    }  # fmt: skip
    assert "29 persons in all" in found.quality


def test_the_oldest_are_in_a_band() -> None:
    found = described([case(number, number, person(">89", "F")) for number in range(5)], [])
    assert "| age in years | 80 and over | 5 |" in found.quality


@pytest.mark.parametrize(
    ("source", "licence", "words"),
    [
        (PHYSIONET, "CC BY 4.0", "10.13026/czw8-9p62"),
        ("https://api.vitaldb.net/1.0.1", "CC BY-NC-SA 4.0", "data use agreement"),
        ("/home/jane/recordings", None, "does not tell whose"),
        (None, None, "does not tell whose"),
    ],
)
def test_source_and_licence_by_door(source: str | None, licence: str | None, words: str) -> None:
    found = described([], [], source)
    assert (found.licence.name if found.licence else None) == licence
    assert words in found.source
    assert "10.1038/s41597-022-01411-5" in "\n".join(found.citations)
    assert ("6,388 cases" in "\n".join(found.limits)) == (licence is not None)
    assert "jane" not in repr(found)


def test_what_was_selected() -> None:
    assert described([], []).source.endswith("All cases were selected.")
    selection = {"cases": "1-10,17", "where": "age >= 18\nand `asa` <= 3"}
    assert described([], [], selection=selection).source.endswith(
        "Selected were the cases `1-10,17`, of those with a clinical row where `age >= 18 and 'asa' <= 3`."
    )
