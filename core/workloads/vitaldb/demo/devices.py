"""The devices of a theatre and the tracks they record of a course, one function a device."""

from __future__ import annotations

import numpy as np

from core.recording.writer import Format
from core.workloads.vitaldb.demo import artefacts
from core.workloads.vitaldb.demo.channels import Channel
from core.workloads.vitaldb.demo.course import MMHG_PER_KPA, Course, course_of
from core.workloads.vitaldb.demo.patient import CasePlan
from core.workloads.vitaldb.demo.randomness import Generator, generator
from core.workloads.vitaldb.demo.signals import Floats, polls, shown


class _Device:
    """One device that is polled: turns 1 Hz curves into channels at its own times."""

    def __init__(self, name: str, start: float, times: Floats) -> None:
        self.name = name
        self.times = times
        self.channels: list[Channel] = []
        self._seconds = (times - start).astype(np.int64)

    def add(self, name: str, unit: str, curve: Floats, first: int = 0, stored: Format = Format.F32, gain: float = 1.0,
            offset: float = 0.0) -> None:  # fmt: skip
        """A track of ``curve`` [seconds], recorded from second ``first`` on."""
        begin = int(np.searchsorted(self._seconds, first))
        seconds = self._seconds[begin:]
        self.channels.append(Channel(self.name, name, unit, self.times[begin:], curve[seconds], stored, gain, offset))


def channels_of(plan: CasePlan) -> list[Channel]:
    """All numeric tracks of a case, wanted ones and others, with its artefacts."""
    course = course_of(plan)
    random = generator(plan.seed, plan.number, "devices")
    theatre = {"vitaldb": _vitaldb, "draeger": _draeger, "intellivue": _intellivue}[plan.profile]
    channels = theatre(plan, course, random)
    channels += _pumps(plan, course, random)
    if plan.bispectral_index:
        channels += _bispectral_index(plan, course, random)
    if plan.leads_off:
        end = plan.start + plan.seconds
        names = ("Solar8000/HR", "Solar8000/PLETH_SPO2")
        channels = [
            artefacts.leads_off(channel, plan.start, end) if channel.full_name in names else channel
            for channel in channels
        ]
    if plan.silence:
        begin = plan.start + float(random.uniform(0.4, 0.7)) * plan.seconds
        channels = artefacts.silenced(channels, begin, begin + float(random.uniform(40.0, 400.0)))
    return channels


def _pressure_tracks(device: _Device, pressures: artefacts.Pressures, names: tuple[str, str, str]) -> None:
    for name, curve in zip(names, artefacts.shown_pressures(pressures), strict=True):
        device.add(name, "mmHg", curve, pressures.first)


def _vitaldb(plan: CasePlan, course: Course, random: Generator) -> list[Channel]:
    solar = _Device("Solar8000", plan.start, polls(random, plan.start, plan.seconds, 2.0))
    small = Format.U8 if plan.number % 5 == 0 else Format.F32
    solar.add("HR", "/min", shown(course.heart_rate, 1.0, 20.0, 240.0), stored=small)
    solar.add("PLETH_SPO2", "%", shown(course.saturation, 1.0, 60.0, 100.0), stored=small)
    solar.add("PLETH_HR", "/min", shown(course.heart_rate, 1.0, 20.0, 240.0))
    if plan.cuff:
        _pressure_tracks(solar, artefacts.cuff(random, course), ("NIBP_SBP", "NIBP_DBP", "NIBP_MBP"))
    line = artefacts.arterial_line(random, course)
    if plan.arterial_line:
        _pressure_tracks(solar, line, ("ART_SBP", "ART_DBP", "ART_MBP"))
    solar.add("ETCO2", "mmHg", shown(course.etco2, 1.0, 0.0, 150.0))
    solar.add("FIO2", "%", shown(course.fio2, 1.0, 18.0, 100.0))
    solar.add("RR_CO2", "/min", shown(course.respiratory_rate, 1.0, 0.0, 80.0))
    solar.add("RR", "/min", shown(course.respiratory_rate, 1.0, 0.0, 80.0), stored=Format.I8)
    ventilated = course.tidal_volume > 0
    solar.add("VENT_RR", "/min", shown(course.respiratory_rate * ventilated, 1.0, 0.0, 80.0))
    solar.add("VENT_TV", "mL", shown(course.tidal_volume, 1.0, 0.0, 2000.0), stored=Format.U16)
    solar.add("VENT_MEAS_PEEP", "mbar", shown(course.peep, 1.0, 0.0, 40.0))
    solar.add("BT", "C", shown(course.temperature, 0.1, 25.0, 42.0), stored=Format.I16, gain=0.1)
    solar.add("ST_II", "mm", shown(course.st_segment, 0.1, -10.0, 10.0), stored=Format.I16, gain=0.1)
    primus = _Device("Primus", plan.start, polls(random, plan.start, plan.seconds, 7.0, 0.05))
    _ventilator(primus, course, course.etco2, "mmHg", plan.sevoflurane)
    primus.add("MAC", "", shown(course.expired_sevoflurane / 2.0, 0.1, 0.0, 9.0))
    channels = solar.channels + primus.channels
    if plan.cardiac_output:
        monitor = _Device("EV1000", plan.start, polls(random, plan.start, plan.seconds, 2.0))
        mean = artefacts.shown_pressures(line)[2] + 1.0
        monitor.add("ART_MBP", "mmHg", mean, line.first + 300)
        monitor.add("CO", "L/min", shown(course.heart_rate * 0.07, 0.1, 0.0, 20.0), line.first + 300)
        channels += monitor.channels
    return channels


def _ventilator(device: _Device, course: Course, etco2: Floats, etco2_unit: str, sevoflurane: bool) -> None:
    device.add("TV", "mL", shown(course.tidal_volume, 1.0, 0.0, 2000.0))
    device.add("PEEP_MBAR", "mbar", shown(course.peep, 1.0, 0.0, 40.0))
    device.add("FIO2", "%", shown(course.fio2, 1.0, 18.0, 100.0))
    device.add("RR_CO2", "/min", shown(course.respiratory_rate, 1.0, 0.0, 80.0))
    device.add("ETCO2", etco2_unit, etco2 if etco2_unit == "kPa" else shown(etco2, 1.0, 0.0, 150.0))
    if sevoflurane:
        for name, curve in (("INSP_SEVO", course.inspired_sevoflurane), ("EXP_SEVO", course.expired_sevoflurane)):
            device.add(name, "kPa", shown(curve, 0.1, 0.0, 8.0), stored=Format.I16, gain=0.01)


def _draeger(plan: CasePlan, course: Course, random: Generator) -> list[Channel]:
    infinity = _Device("Infinity", plan.start, polls(random, plan.start, plan.seconds, 2.0))
    infinity.add("HR", "/min", shown(course.heart_rate, 1.0, 20.0, 240.0))
    infinity.add("PLETH_SPO2", "%", shown(course.saturation, 1.0, 60.0, 100.0))
    if plan.cuff:
        _pressure_tracks(infinity, artefacts.cuff(random, course), ("NIBP_SBP", "NIBP_DBP", "NIBP_MBP"))
    if plan.arterial_line:
        _pressure_tracks(infinity, artefacts.arterial_line(random, course), ("ART_SBP", "ART_DBP", "ART_MBP"))
    infinity.add("PLETH_HR", "/min", shown(course.heart_rate, 1.0, 20.0, 240.0))
    medibus = _Device("MedibusX", plan.start, polls(random, plan.start, plan.seconds, 5.0, 0.05))
    etco2 = shown(course.etco2 / MMHG_PER_KPA, 0.1, 0.0, 20.0)
    _ventilator(medibus, course, etco2, "kPa", plan.sevoflurane)
    medibus.add("RR_MANDATORY", "/min", shown(course.respiratory_rate, 1.0, 0.0, 80.0))
    medibus.add("PIP_MBAR", "mbar", shown(course.peep + 12.0, 1.0, 0.0, 60.0))
    channels = infinity.channels + medibus.channels
    if not plan.arterial_line:
        finger = _Device("Tofcuff", plan.start, polls(random, plan.start, plan.seconds, 10.0))
        _pressure_tracks(finger, artefacts.cuff(random, course), ("NIBP_SYS", "NIBP_DIA", "NIBP_MEAN"))
        channels += finger.channels
    return channels


def _intellivue(plan: CasePlan, course: Course, random: Generator) -> list[Channel]:
    monitor = _Device("Intellivue", plan.start, polls(random, plan.start, plan.seconds, 1.024))
    for name in ("HR", "ECG_HR", "PLETH_HR"):
        monitor.add(name, "/min", shown(course.heart_rate, 1.0, 20.0, 240.0))
    monitor.add("PLETH_SAT_O2", "%", shown(course.saturation, 1.0, 60.0, 100.0))
    _pressure_tracks(monitor, artefacts.cuff(random, course), ("NIBP_SYS", "NIBP_DIA", "NIBP_MEAN"))
    if plan.arterial_line:
        _pressure_tracks(monitor, artefacts.arterial_line(random, course), ("ABP_SYS", "ABP_DIA", "ABP_MEAN"))
    monitor.add("RR", "/min", shown(course.respiratory_rate, 1.0, 0.0, 80.0))
    monitor.add("PLETH_PERF_REL", "", shown(np.abs(course.st_segment) + 1.0, 0.1, 0.0, 20.0))
    return monitor.channels


def _pumps(plan: CasePlan, course: Course, random: Generator) -> list[Channel]:
    """The syringe pumps, every second from shortly before the induction to the end."""
    pumps = _Device("Orchestra", plan.start, polls(random, plan.start, plan.seconds, 1.0))
    first = max(0, course.phases.induction - 60)
    drugs: list[tuple[str, Floats]] = []
    if plan.propofol:
        drugs.append(("PPF20_RATE", course.propofol))
    if plan.remifentanil is not None:
        drugs.append((f"RFTN{plan.remifentanil}_RATE", course.remifentanil))
    if plan.noradrenaline:
        drugs.append(("NEPI_RATE", course.noradrenaline))
    for name, curve in drugs:
        pumps.add(name, "mL/h", shown(curve, 0.1, 0.0, 1200.0), first, Format.I16, 0.1)
    return _stutter(plan, random, pumps.channels)


def _bispectral_index(plan: CasePlan, course: Course, random: Generator) -> list[Channel]:
    monitor = _Device("BIS", plan.start, polls(random, plan.start, plan.seconds, 1.0))
    first = max(0, course.phases.induction - 120)
    monitor.add("BIS", "", shown(course.bis, 0.1, 0.0, 98.0), first, Format.I16, 0.1)
    monitor.add("SQI", "%", shown(92.0 + 12.0 * course.st_segment, 1.0, 0.0, 100.0), first)
    return _stutter(plan, random, monitor.channels)


def _stutter(plan: CasePlan, random: Generator, channels: list[Channel]) -> list[Channel]:
    if not plan.duplicate_times:
        return channels
    return [artefacts.stuttering(random, channel, 0.003) for channel in channels]
