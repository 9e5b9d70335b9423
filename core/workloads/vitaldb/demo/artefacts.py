"""What goes wrong in every theatre: late lines, flushes, zeroing, leads that fall off, devices that fall silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.workloads.vitaldb.demo.channels import Channel
from core.workloads.vitaldb.demo.course import Course
from core.workloads.vitaldb.demo.randomness import Generator
from core.workloads.vitaldb.demo.signals import Floats, noise, shown

LEADS_OFF_AT_START_S, LEADS_OFF_AT_END_S = 90.0, 60.0


@dataclass(frozen=True)
class Pressures:
    """Systolic, diastolic and mean, mmHg, each [seconds] at 1 Hz; ``first`` is the second it is connected."""

    systolic: Floats
    diastolic: Floats
    mean: Floats
    first: int = 0


def arterial_line(random: Generator, course: Course) -> Pressures:
    """The line as the monitor shows it: connected some minutes after induction, zeroed, flushed now and then.

    Before the transducer is zeroed the pressures are a little negative; a flush shows as over 300 mmHg.
    """
    seconds = course.phases.seconds
    first = course.phases.intubation + int(random.uniform(60, 420))
    offset = np.rint(noise(random, seconds, 1.5, 20.0))
    curves = [course.systolic + offset, course.diastolic + offset, course.mean + offset]
    zeroed = first + int(random.uniform(14, 60))
    level = float(random.uniform(-18.0, -7.0))
    for curve, above in zip(curves, (2.0, -1.0, 0.0), strict=True):
        curve[first:zeroed] = level + above
    for flush in random.uniform(zeroed + 60, seconds, max(1, seconds // 2400)).astype(int).tolist():
        for curve, peak in zip(curves, (312.0, 190.0, 268.0), strict=True):
            curve[flush : flush + 5] = peak + float(random.uniform(-6.0, 14.0))
    return Pressures(curves[0], curves[1], curves[2], first)


def cuff(random: Generator, course: Course) -> Pressures:
    """A cuff that measures every few minutes, and whose last values stand until the next (notes on VitalDB, 2.4)."""
    seconds = course.phases.seconds
    interval = int(random.choice([150, 180, 300]))
    latest = np.maximum(np.arange(seconds) // interval * interval, 0)
    error = 1.0 + 0.03 * random.standard_normal(seconds // interval + 1)[np.arange(seconds) // interval]
    systolic, diastolic = course.systolic[latest] * error, course.diastolic[latest] * error
    return Pressures(systolic, diastolic, diastolic + 0.36 * (systolic - diastolic), int(random.uniform(40, 150)))


def shown_pressures(pressures: Pressures) -> tuple[Floats, Floats, Floats]:
    """Whole mmHg, as monitors show them."""
    return (
        shown(pressures.systolic, 1.0, -40.0, 360.0),
        shown(pressures.diastolic, 1.0, -40.0, 360.0),
        shown(pressures.mean, 1.0, -40.0, 360.0),
    )


def leads_off(channel: Channel, start: float, end: float) -> Channel:
    """The channel with zeros before the leads are on and after they came off."""
    off = (channel.times < start + LEADS_OFF_AT_START_S) | (channel.times > end - LEADS_OFF_AT_END_S)
    return replace(channel, values=np.where(off, 0.0, channel.values))


def silenced(channels: Sequence[Channel], begin: float, end: float) -> list[Channel]:
    """All channels without what they measured between two times."""
    heard = [(channel.times < begin) | (channel.times >= end) for channel in channels]
    return [
        replace(channel, times=channel.times[keep], values=channel.values[keep])
        for channel, keep in zip(channels, heard, strict=True)
    ]


def stuttering(random: Generator, channel: Channel, share: float) -> Channel:
    """The channel with some samples that carry the time stamp of the one before them."""
    again = random.random(channel.times.size) < share
    again[:1] = again[-1:] = False
    again[1:] &= ~again[:-1]
    times = channel.times.copy()
    times[again] = times[np.flatnonzero(again) - 1]
    return replace(channel, times=times)
