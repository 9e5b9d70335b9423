"""The course of one anaesthetic: induction, maintenance, emergence, once a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.workloads.vitaldb.demo.patient import CasePlan, Person
from core.workloads.vitaldb.demo.randomness import Generator, generator
from core.workloads.vitaldb.demo.signals import Floats, lag, noise, pulse

MMHG_PER_KPA = 7.50062


@dataclass(frozen=True)
class Phases:
    """Seconds from the recording's start."""

    seconds: int
    induction: int
    intubation: int
    incision: int
    closure: int
    extubation: int

    @property
    def ventilated(self) -> slice:
        """From intubation to extubation."""
        return slice(self.intubation, self.extubation)


@dataclass(frozen=True)
class Course:
    """What the body and the machines do, each [seconds] at 1 Hz, in the units of the devices.

    bpm, mmHg, %, mmHg (ETCO2), mL/h (pumps), mL, mbar, %, /min, kPa (sevoflurane), °C, mm (ST).
    """

    phases: Phases
    heart_rate: Floats
    systolic: Floats
    diastolic: Floats
    mean: Floats
    saturation: Floats
    etco2: Floats
    bis: Floats
    propofol: Floats
    remifentanil: Floats
    noradrenaline: Floats
    tidal_volume: Floats
    peep: Floats
    fio2: Floats
    respiratory_rate: Floats
    inspired_sevoflurane: Floats
    expired_sevoflurane: Floats
    temperature: Floats
    st_segment: Floats


def course_of(plan: CasePlan) -> Course:
    """Make up the course of a case from its plan."""
    random = generator(plan.seed, plan.number, "course")
    phases = _phases(random, plan.seconds)
    depth = _depth(phases)
    respiratory_rate = _respiratory_rate(random, phases, plan.person)
    inspired, expired = _sevoflurane(random, phases, plan.sevoflurane, 0.4 if plan.propofol else 1.0)
    noradrenaline = _noradrenaline(random, phases, plan.person) if plan.noradrenaline else np.zeros(plan.seconds)
    systolic, diastolic = _pressure(random, phases, depth, plan.person)
    pulse_pressure = systolic - diastolic
    ventilated = np.zeros(plan.seconds)
    ventilated[phases.ventilated] = 1.0
    return Course(
        phases=phases,
        heart_rate=_heart_rate(random, phases, depth, plan.person),
        systolic=systolic,
        diastolic=diastolic,
        mean=diastolic + pulse_pressure * 0.36,
        saturation=_saturation(random, phases),
        etco2=ventilated * (34.0 + noise(random, plan.seconds, 1.6, 400.0) + noise(random, plan.seconds, 0.4, 6.0)),
        bis=_bis(random, depth),
        propofol=_propofol(random, phases, plan.person),
        remifentanil=_remifentanil(random, phases, plan.person, plan.remifentanil or 20),
        noradrenaline=noradrenaline,
        tidal_volume=ventilated * _tidal_volume(random, plan),
        peep=ventilated
        * (float(random.choice([0.0, 3.0, 5.0, 6.0, 8.0])) + np.abs(noise(random, plan.seconds, 0.4, 9))),
        fio2=21.0 + ventilated * (19.0 + lag(_first_minutes(phases), 90.0)),
        respiratory_rate=respiratory_rate,
        inspired_sevoflurane=inspired,
        expired_sevoflurane=expired,
        temperature=36.6 - lag(0.9 * depth, 2400.0) + noise(random, plan.seconds, 0.05, 900.0),
        st_segment=noise(random, plan.seconds, 0.25, 300.0),
    )


def _phases(random: Generator, seconds: int) -> Phases:
    induction = int(random.uniform(240, 720))
    intubation = induction + int(random.uniform(120, 260))
    extubation = seconds - int(random.uniform(120, 420))
    return Phases(
        seconds=seconds,
        induction=induction,
        intubation=intubation,
        incision=intubation + int(random.uniform(500, 1200)),
        closure=extubation - int(random.uniform(240, 700)),
        extubation=extubation,
    )


def _first_minutes(phases: Phases) -> Floats:
    """The extra oxygen, %, until the tube is in place and checked."""
    extra = np.zeros(phases.seconds)
    extra[: phases.intubation + 420] = 60.0
    return extra


def _depth(phases: Phases) -> Floats:
    """How deep the anaesthesia is, 0 (awake) … 1."""
    asleep = np.zeros(phases.seconds)
    asleep[phases.induction + 20 : phases.closure + 120] = 1.0
    return lag(asleep, 55.0)


def _heart_rate(random: Generator, phases: Phases, depth: Floats, person: Person) -> Floats:
    resting = 74.0 if person.age_y >= 12 else 128.0 - 3.5 * person.age_y
    resting += 8.0 * float(random.standard_normal())
    stimulus = pulse(phases.seconds, phases.intubation, 16.0, 20.0, 240.0)
    stimulus += pulse(phases.seconds, phases.incision, 9.0, 30.0, 400.0)
    stimulus += pulse(phases.seconds, phases.extubation, 18.0, 40.0, 400.0)
    wander = noise(random, phases.seconds, 5.0, 900.0) + noise(random, phases.seconds, 1.6, 12.0)
    return resting * (1.0 - 0.17 * depth) + stimulus + wander


def _pressure(random: Generator, phases: Phases, depth: Floats, person: Person) -> tuple[Floats, Floats]:
    systolic = 132.0 if person.age_y >= 12 else 88.0 + 3.0 * person.age_y
    systolic += 10.0 * float(random.standard_normal())
    fall = 0.16 + 0.14 * lag((np.arange(phases.seconds) < phases.incision).astype(np.float64), 300.0)
    tone = 1.0 - fall * depth + noise(random, phases.seconds, 0.055, 700.0) + noise(random, phases.seconds, 0.02, 25.0)
    tone += pulse(phases.seconds, phases.intubation, 0.2, 25.0, 200.0)
    tone += pulse(phases.seconds, phases.incision, 0.12, 40.0, 500.0)
    tone += pulse(phases.seconds, phases.extubation, 0.16, 40.0, 500.0)
    tone = np.clip(tone, 0.45, 1.6)
    share = 0.57 + 0.02 * float(random.standard_normal()) + noise(random, phases.seconds, 0.015, 300.0)
    return systolic * tone, systolic * tone * np.clip(share, 0.48, 0.68)


def _saturation(random: Generator, phases: Phases) -> Floats:
    awake = 97.4 + 0.7 * float(random.standard_normal())
    oxygen = np.zeros(phases.seconds)
    oxygen[phases.induction - 120 : phases.extubation] = 1.0
    rise = lag(oxygen, 40.0) * (99.6 - awake)
    dip = pulse(phases.seconds, phases.intubation, -3.0, 30.0, 50.0)
    return np.minimum(awake + rise + dip + noise(random, phases.seconds, 0.45, 90.0), 100.0)


def _bis(random: Generator, depth: Floats) -> Floats:
    asleep = 43.0 + 4.0 * float(random.standard_normal())
    wander = noise(random, depth.size, 4.5, 240.0) + noise(random, depth.size, 1.5, 8.0)
    return 96.5 + (asleep - 96.5) * depth + wander * (0.25 + 0.75 * depth)


def _propofol(random: Generator, phases: Phases, person: Person) -> Floats:
    """mL/h of 20 mg/mL: a target-controlled pump, which gives a bolus and then less and less, in steps of 10 s."""
    bolus_s = 30
    per_mg_kg_h = person.weight_kg / 20.0
    since = np.arange(phases.seconds) // 10 * 10 - float(phases.induction)
    rate: Floats = (5.4 + 6.0 * np.exp(-np.maximum(since, 0.0) / 900.0)) * per_mg_kg_h
    targets = 1.0 + 0.12 * random.standard_normal(phases.seconds // 600 + 1)
    rate = rate * np.repeat(targets, 600)[: phases.seconds]
    rate[since < 0] = 0.0
    rate[phases.induction : phases.induction + bolus_s] = 1.6 * 3600.0 / bolus_s * per_mg_kg_h
    rate[phases.induction + bolus_s : phases.induction + bolus_s + 60] = 0.0
    rate[phases.closure :] = 0.0
    return rate


def _remifentanil(random: Generator, phases: Phases, person: Person, ug_per_ml: int) -> Floats:
    """mL/h: a bolus of 1 µg/kg in 30 s, then 0.05 to 0.25 µg/kg/min, changed every few minutes."""
    per_ug_kg_min = person.weight_kg * 60.0 / ug_per_ml
    steps = np.clip(0.12 + 0.05 * random.standard_normal(phases.seconds // 420 + 1), 0.04, 0.3)
    rate: Floats = np.repeat(steps, 420)[: phases.seconds] * per_ug_kg_min
    rate[: phases.induction + 15] = 0.0
    rate[phases.induction + 15 : phases.induction + 45] = 2.0 * per_ug_kg_min
    rate[phases.closure + 60 :] = 0.0
    return rate


def _noradrenaline(random: Generator, phases: Phases, person: Person) -> Floats:
    """mL/h of 20 µg/mL: 0.02 to 0.2 µg/kg/min for the middle of the operation."""
    steps = np.clip(0.06 + 0.03 * random.standard_normal(phases.seconds // 300 + 1), 0.02, 0.2)
    rate: Floats = np.repeat(steps, 300)[: phases.seconds] * person.weight_kg * 3.0
    rate[: phases.intubation + 300] = 0.0
    rate[phases.closure - 300 :] = 0.0
    return rate


def _respiratory_rate(random: Generator, phases: Phases, person: Person) -> Floats:
    spontaneous = (15.0 if person.age_y >= 12 else 26.0) + noise(random, phases.seconds, 2.0, 40.0)
    ventilator = 12.0 if person.age_y >= 12 else 22.0
    steps = ventilator + np.clip(np.rint(random.standard_normal(phases.seconds // 1500 + 1)), -2, 3)
    rate = spontaneous
    rate[phases.ventilated] = np.repeat(steps, 1500)[phases.ventilated]
    rate[phases.induction + 40 : phases.intubation] = 0.0
    return rate


def _tidal_volume(random: Generator, plan: CasePlan) -> Floats:
    ideal = max(0.9 * (plan.person.height_cm - 100.0), 0.9 * plan.person.weight_kg if plan.person.age_y < 12 else 40.0)
    return 7.6 * ideal * (1.0 + noise(random, plan.seconds, 0.015, 5.0) + noise(random, plan.seconds, 0.03, 600.0))


def _sevoflurane(random: Generator, phases: Phases, given: bool, part: float) -> tuple[Floats, Floats]:
    dial = np.zeros(phases.seconds)
    if given:
        level = part * (1.9 + 0.25 * float(random.standard_normal()))
        dial[phases.intubation : phases.closure] = level
        dial[phases.intubation : phases.intubation + 300] = 1.6 * level
    inspired = lag(dial, 45.0)
    return inspired, lag(inspired, 170.0)
