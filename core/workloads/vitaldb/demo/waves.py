"""Waveforms of a case, made second by second from its 1 Hz course so that hours of them never stand in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recording.writer import Format, Layout, Raw, TrackDeclaration, TrackKind, WaveTrack
from core.workloads.vitaldb.demo.course import Course, course_of
from core.workloads.vitaldb.demo.patient import CasePlan
from core.workloads.vitaldb.demo.randomness import Generator, generator
from core.workloads.vitaldb.demo.signals import Floats

_NOISE_SAMPLES = 100_003
_TEMPLATE = 1024


@dataclass(frozen=True)
class Wave:
    """A wave track before it has numbers: device, name, unit, rate, gain, and its raw samples by seconds."""

    device: str
    name: str
    unit: str
    rate_hz: int
    gain: float
    samples: Callable[[int, int], Raw]

    def track(self, number: int, device: int, start: float, seconds: int, layout: Layout) -> WaveTrack:
        """The wave as the writer takes it; i16, as the recorder's analogue inputs are."""
        heads = {Layout.INTERLEAVED: 0, Layout.PACKED: 1, Layout.TRACK_BY_TRACK: seconds}[layout]
        record_bytes = heads * 21 + seconds * self.rate_hz * 2 if heads else 0
        declaration = TrackDeclaration(
            number, self.name, self.unit, TrackKind.WAVE, Format.I16, rate_hz=self.rate_hz, gain=self.gain,
            device=device, record_bytes=record_bytes, start=start, end=start + seconds,
        )  # fmt: skip
        return WaveTrack(declaration, start, seconds, self.samples)


def waves_of(plan: CasePlan) -> list[Wave]:
    """ECG, plethysmogram and (with an arterial line) pressure at 500 Hz, and one EEG channel at 128 Hz."""
    course = course_of(plan)
    random = generator(plan.seed, plan.number, "waves")
    beats = np.concatenate([[0.0], np.cumsum(course.heart_rate / 60.0)])
    ones = np.ones(plan.seconds)
    pressure = course.systolic - course.diastolic
    waves = [
        Wave("SNUADC", "ECG_II", "mV", 500, 0.005, _pulsatile(random, beats, ones * 0, ones * 190.0, _ecg(), 1.6)),
        Wave("SNUADC", "PLETH", "", 500, 0.025, _pulsatile(random, beats, ones * 1200, ones * 900, _pulse(0.3), 1.4)),
    ]
    if plan.arterial_line:
        arterial = _pulsatile(random, beats, course.diastolic * 16, pressure * 16, _pulse(0.2), 1.4)
        waves.append(Wave("SNUADC", "ART", "mmHg", 500, 0.0625, arterial))
    if plan.bispectral_index:
        waves.append(Wave("BIS", "EEG1_WAV", "uV", 128, 0.05, _eeg(random, course)))
    return waves


def _pulsatile(
    random: Generator, beats: Floats, base: Floats, height: Floats, template: Floats, spread: float
) -> Callable[[int, int], Raw]:
    """A shape repeated with every heart beat, on a base, with the noise of an analogue input (in raw steps)."""
    table = (spread * random.standard_normal(_NOISE_SAMPLES)).astype(np.float32)

    def samples(first: int, last: int) -> Raw:
        phase = np.interp(_seconds(first, last, 500), np.arange(beats.size), beats) % 1.0
        curve = template[(phase * _TEMPLATE).astype(np.int64)]
        amount = np.repeat(height[first:last], 500) * curve + np.repeat(base[first:last], 500)
        return _stored(amount + _tape(table, first * 500, last * 500))

    return samples


def _eeg(random: Generator, course: Course) -> Callable[[int, int], Raw]:
    table = np.convolve(random.standard_normal(_NOISE_SAMPLES), np.hanning(9), "same").astype(np.float32)
    height = 160.0 + 3.0 * (100.0 - course.bis)

    def samples(first: int, last: int) -> Raw:
        return _stored(np.repeat(height[first:last], 128) * _tape(table, first * 128, last * 128))

    return samples


def _seconds(first: int, last: int, rate: int) -> Floats:
    return np.arange(first * rate, last * rate) / rate


def _tape(table: NDArray[np.float32], first: int, last: int) -> NDArray[np.float32]:
    """Noise by position, so that it is the same however the wave is cut into blocks."""
    return np.take(table, np.arange(first, last), mode="wrap")


def _stored(amount: Floats) -> Raw:
    return np.clip(np.rint(amount), -32767, 32767).astype(np.int16)


def _bump(phase: Floats, centre: float, width: float, height: float) -> Floats:
    shape: Floats = height * np.exp(-0.5 * ((phase - centre) / width) ** 2)
    return shape


def _ecg() -> Floats:
    phase = np.arange(_TEMPLATE) / _TEMPLATE
    waves = ((0.20, 0.025, 0.12), (0.365, 0.008, -0.12), (0.385, 0.010, 1.0), (0.405, 0.009, -0.25), (0.62, 0.05, 0.3))
    curve: Floats = np.sum([_bump(phase, *wave) for wave in waves], axis=0)
    return curve


def _pulse(notch: float) -> Floats:
    phase = np.arange(_TEMPLATE) / _TEMPLATE
    curve = (1.0 - np.exp(-phase / 0.06)) * np.exp(-phase / 0.35) + _bump(phase, 0.42, 0.05, 0.5 * notch)
    curve -= phase * curve[-1]  # ends where it begins
    scaled: Floats = curve / curve.max()
    return scaled
