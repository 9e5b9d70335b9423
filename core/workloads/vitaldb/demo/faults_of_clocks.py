"""Faults of time: silences, jumps, stutters, and clocks that nobody set."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from core.recording.model import Header
from core.workloads.vitaldb.demo.bench import SECONDS, START, Bench, begin, even_times, plain, play
from core.workloads.vitaldb.demo.channels import Channel
from core.workloads.vitaldb.demo.tape import HORIZON_S, WINDOW_S, Tape
from core.workloads.vitaldb.demo.truth import CaseTruth

LONG_SILENCE_S, SIX_DAYS_S = 2971.0, 514_825.0
"""Both were met in real recordings (notes on VitalDB, 2.4)."""

END = START + SECONDS


def too_short(bench: Bench) -> CaseTruth:
    """200 seconds: valid, but no window fits."""
    return bench.readable(plain(bench.channels(200)))


def one_second_too_short(bench: Bench) -> CaseTruth:
    """One second less than a window and its horizon."""
    return bench.readable(plain(bench.channels(WINDOW_S + HORIZON_S - 1)))


def exactly_one_window(bench: Bench) -> CaseTruth:
    """As long as a window and its horizon."""
    return bench.readable(plain(bench.channels(WINDOW_S + HORIZON_S)))


def nine_figure_time(bench: Bench) -> CaseTruth:
    """A clock that counts from the start of the recorder, and one record of the year 2001."""
    start = 1000.0
    channels = bench.channels(start=start)

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        play(tape, tracks)
        tape.records(tracks[0].declaration, np.array([999_999_999.0]), np.array([72.0]))

    return bench.readable(build)


def long_silence(bench: Bench) -> CaseTruth:
    """2,971 seconds without any record, as when the network was down."""
    return bench.readable(plain(_torn(bench.channels(), LONG_SILENCE_S)))


def six_day_gap(bench: Bench) -> CaseTruth:
    """The recorder was left on and went on six days later: what follows is not this operation."""
    return bench.readable(plain(_torn(bench.channels(2 * SECONDS), SIX_DAYS_S)))


def _torn(channels: list[Channel], gap_s: float) -> list[Channel]:
    middle = (channels[0].times[0] + max(channel.times[-1] for channel in channels)) / 2.0
    return [
        replace(channel, times=channel.times + np.where(channel.times > middle, gap_s, 0.0)) for channel in channels
    ]


def duplicate_and_backward_times(bench: Bench) -> CaseTruth:
    """Packets that came twice and packets that came late."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        for track, channel in zip(begin(tape, channels), channels, strict=True):
            times, values = channel.times.copy(), channel.values.copy()
            order = np.arange(times.size)
            for place in range(50, times.size - 50, 97):
                order[place], order[place + 1] = order[place + 1], order[place]
            times, values = times[order], values[order]
            again = 20 + 60 * np.arange((times.size - 40) // 60)
            times[again] = times[again - 1]
            tape.records(track.declaration, times, values)

    return bench.readable(build)


def time_not_finite(bench: Bench) -> CaseTruth:
    """Records whose time is not a number, or infinite."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        play(tape, tracks, before=START + 300)
        times = np.array([math.nan, math.inf, -math.inf])
        for track in tracks[:4]:
            tape.records(track.declaration, times, np.full(3, 50.0))
        play(tape, tracks, after=START + 300)

    return bench.readable(build)


def header_start_zero(bench: Bench) -> CaseTruth:
    """A header of the newer generation whose start was never set."""
    return bench.readable(plain(bench.channels()), Header(3, 27, -540, 0.0, 0.0, False))


def header_start_not_a_number(bench: Bench) -> CaseTruth:
    """A header whose start and end are not numbers."""
    return bench.readable(plain(bench.channels()), Header(3, 27, -540, math.nan, math.nan, False))


def header_start_years_before(bench: Bench) -> CaseTruth:
    """A header that claims a start years before the first record: believing it would make a grid of years."""
    return bench.readable(plain(bench.channels()), Header(3, 27, -540, 1.0, END, False))


def header_start_minutes_before(bench: Bench) -> CaseTruth:
    """The recorder ran ten minutes before the first device spoke: these minutes count."""
    return bench.readable(plain(bench.channels()), Header(3, 27, -540, START - 600.5, END, False))


def unwanted_record_first(bench: Bench) -> CaseTruth:
    """The earliest record of the file is of a track that nobody asked for, and stands at its very end."""
    channels = bench.channels()
    early = Channel("Solar8000", "BT", "C", even_times(START - 95.5, 90, 2.0), np.full(45, 36.5))

    def build(tape: Tape) -> None:
        tracks = begin(tape, [*channels, early])
        play(tape, tracks[:-1])
        play(tape, tracks[-1:])

    return bench.readable(build)
