"""Who lies on the table, and what a case of the demo cohort is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.recording.writer import Layout
from core.workloads.vitaldb.demo.randomness import Generator, chosen, generator

SHORTEST_H, LONGEST_H, MEDIAN_H, LOG_SPREAD = 0.7, 9.0, 2.76, 0.5
"""Durations as in the open data set: median 2.76 h, 99 % under 8.8 h (notes on VitalDB, 2.3)."""

TRAP_PERIOD = 120
TRAPS = {
    3: "age over 89",
    7: "asa missing",
    9: "child",
    11: "aneend nonsense",
    14: "infant",
    18: "height missing",
    20: "second row",
    22: "no row",
}
"""Traps of the clinical table by case number modulo :data:`TRAP_PERIOD`; all of them occur within 24 cases."""

_SAME_SUBJECT = {17: 12, 19: 11}
_FIRST_SUBJECT = 5000
_INTELLIVUE, _NORADRENALINE = 12, 6


@dataclass(frozen=True)
class Person:
    """A subject: years, sex (``M``/``F``), cm, kg, ASA class."""

    age_y: float
    sex: str
    height_cm: float
    weight_kg: float
    asa: int


@dataclass(frozen=True)
class CasePlan:
    """Everything that is decided about a demo case before its signals are made.

    ``subject_id`` is the one of the clinical table (minus the number where the case has no row).
    """

    number: int
    seed: int
    subject_id: int
    person: Person
    trap: str
    seconds: int
    start: float
    profile: str
    layout: Layout
    header_length: int
    arterial_line: bool
    cuff: bool
    propofol: bool
    sevoflurane: bool
    remifentanil: int | None
    noradrenaline: bool
    bispectral_index: bool
    cardiac_output: bool
    leads_off: bool
    silence: bool
    duplicate_times: bool


def plan_case(number: int, seed: int) -> CasePlan:
    """Decide on case ``number`` (1, 2, …)."""
    random = generator(seed, number, "plan")
    trap = TRAPS.get(number % TRAP_PERIOD, "")
    layout = tuple(Layout)[number % 3]
    seconds = int(3600 * np.clip(MEDIAN_H * np.exp(LOG_SPREAD * random.standard_normal()), SHORTEST_H, LONGEST_H))

    def share(choice: str, part: float) -> bool:
        return chosen(seed, choice, number, part)

    arterial_line = share("arterial line", 0.58)
    propofol = share("propofol", 0.55)
    profile = _profile(number)
    return CasePlan(
        number=number,
        seed=seed,
        subject_id=-number if trap == "no row" else _FIRST_SUBJECT + first_case_of_subject(number),
        person=_person(seed, number, trap),
        trap=trap,
        seconds=seconds,
        start=_start(random),
        profile=profile,
        layout=layout,
        header_length=10 if layout is Layout.INTERLEAVED or number % 6 == 2 else 27,
        arterial_line=arterial_line,
        cuff=not arterial_line or share("cuff beside line", 0.74),
        propofol=propofol,
        sevoflurane=not propofol or share("sevoflurane", 0.23),
        remifentanil=(50 if share("remifentanil 50", 0.015) else 20) if share("remifentanil", 0.757) else None,
        noradrenaline=number == _NORADRENALINE or share("noradrenaline", 0.014),
        bispectral_index=share("bispectral index", 0.918),
        cardiac_output=profile == "vitaldb" and share("cardiac output", 0.094),
        leads_off=profile == "vitaldb" and share("leads off", 0.25),
        silence=share("silence", 0.08),
        duplicate_times=share("duplicate times", 0.08),
    )


def first_case_of_subject(number: int) -> int:
    """The case whose subject this one is, too: some come back for a second operation (about 5 %)."""
    back = _SAME_SUBJECT.get(number % 20, 0)
    if back == 0 or (number > 20 and number % 20 != 17):
        return number
    return number - back


def random_person(random: Generator) -> Person:
    """An adult as they come for non-cardiac surgery."""
    male = bool(random.random() < 0.5)
    height = (169.5 if male else 156.0) + 6.5 * random.standard_normal()
    mass_index = float(np.clip(23.6 + 3.4 * random.standard_normal(), 15.5, 42.0))
    return Person(
        age_y=float(np.clip(round(58.0 + 14.5 * random.standard_normal()), 18, 89)),
        sex="M" if male else "F",
        height_cm=round(float(np.clip(height, 140.0, 195.0)), 1),
        weight_kg=round(mass_index * (height / 100.0) ** 2, 1),
        asa=int(random.choice([1, 2, 3, 4], p=[0.29, 0.58, 0.11, 0.02])),
    )


def _person(seed: int, number: int, trap: str) -> Person:
    person = random_person(generator(seed, first_case_of_subject(number), "person"))
    if trap == "age over 89":
        return Person(93.0, person.sex, min(person.height_cm, 160.0), min(person.weight_kg, 58.0), 3)
    if trap == "child":
        return Person(7.0, person.sex, 121.5, 23.4, 1)
    if trap == "infant":
        return Person(0.4, person.sex, 63.0, 6.8, 2)
    return person


def _profile(number: int) -> str:
    if number % TRAP_PERIOD == _INTELLIVUE:
        return "intellivue"
    return "draeger" if number % 12 == 4 else "vitaldb"


def _start(random: Generator) -> float:
    """A moving clock of the kind that anonymised recordings have; milliseconds, as recorders write them."""
    day = int(random.integers(0, 3650))
    return 1_300_000_000.0 + 86400.0 * day + round(float(random.uniform(0, 36000)), 3)
