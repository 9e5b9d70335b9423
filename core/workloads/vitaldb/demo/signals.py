"""Building blocks of believable signals: noise with a memory, lags, and what a monitor shows of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.workloads.vitaldb.demo.randomness import Generator

Floats = NDArray[np.float64]
_CHUNK = 64


def first_order(drive: Floats, keep: float, first: float) -> Floats:
    """y[t] = keep · y[t-1] + drive[t] over ``drive`` [n], with ``first`` before it.

    Sums run over chunks so that neither a Python step per sample nor a power of ``keep`` that overflows is needed.
    """
    chunks = -(-drive.size // _CHUNK)
    padded = np.zeros(chunks * _CHUNK)
    padded[: drive.size] = drive
    powers = keep ** np.arange(_CHUNK)
    own = np.cumsum(padded.reshape(chunks, _CHUNK) / powers, axis=1) * powers
    carry = np.empty(chunks)
    last = first
    for index, end in enumerate(own[:, -1].tolist()):
        carry[index] = last
        last = end + last * keep**_CHUNK
    result: Floats = (own + carry[:, None] * (powers * keep)).ravel()[: drive.size]
    return result


def lag(target: Floats, time_constant_s: float) -> Floats:
    """``target`` [n] at 1 Hz as seen through a first-order lag."""
    keep = float(np.exp(-1.0 / time_constant_s))
    return first_order(target * (1.0 - keep), keep, float(target[0]))


def noise(random: Generator, seconds: int, spread: float, time_constant_s: float) -> Floats:
    """Noise [seconds] of standard deviation ``spread`` whose memory fades with the time constant (AR(1), 1 Hz)."""
    keep = float(np.exp(-1.0 / time_constant_s))
    drive = random.standard_normal(seconds) * (spread * np.sqrt(1.0 - keep * keep))
    return first_order(drive, keep, spread * float(random.standard_normal()))


def pulse(seconds: int, at_s: float, height: float, rise_s: float, fall_s: float) -> Floats:
    """A response [seconds] that begins at ``at_s``, peaks near ``height`` and fades away."""
    after = np.maximum(np.arange(seconds) - at_s, 0.0)
    shape: Floats = height * (1.0 - np.exp(-after / rise_s)) * np.exp(-after / fall_s)
    return shape


def shown(values: Floats, resolution: float, low: float, high: float) -> Floats:
    """Values as a monitor shows them: within its range and rounded to its resolution."""
    digits = np.rint(np.clip(values, low, high) / resolution)
    # Division by an integer keeps 0.1-steps exact where a product with 0.1 would not.
    result: Floats = digits * resolution if resolution >= 1.0 else digits / round(1.0 / resolution)
    return result


def polls(random: Generator, start: float, seconds: float, interval_s: float, jitter_s: float = 0.004) -> Floats:
    """The times [n] at which a device is asked: every ``interval_s`` with a jitter of whole milliseconds, rising."""
    phase = random.uniform(0.0, min(interval_s, 1.0))
    steps = np.arange(int((seconds - phase) / interval_s))
    late = random.integers(0, max(1, round(jitter_s * 1000.0)) + 1, steps.size) / 1000.0
    return start + np.round(phase + steps * interval_s, 3) + late
