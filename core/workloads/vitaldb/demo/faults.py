"""All faults in the order of their case numbers, from 9001 on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.workload import Outcome
from core.workloads.vitaldb.demo import faults_of_clocks as clocks
from core.workloads.vitaldb.demo import faults_of_contents as contents
from core.workloads.vitaldb.demo import faults_of_files as files
from core.workloads.vitaldb.demo.bench import SECONDS, Bench
from core.workloads.vitaldb.demo.clinical import Times, row_of
from core.workloads.vitaldb.demo.patient import random_person
from core.workloads.vitaldb.demo.randomness import generator
from core.workloads.vitaldb.demo.truth import CaseTruth

FIRST_FAULT = 9001
_SUBJECTS = 900_000
MISSING_FILE = "missing_file"
_WITHOUT_ROW = ("no_clinical_row", "empty_file", "exactly_one_window")

RECORDED: tuple[Callable[[Bench], CaseTruth], ...] = (
    files.empty_file,
    files.not_gzip,
    files.wrong_magic,
    files.truncated_before_record,
    files.truncated_gzip,
    files.truncated_packet,
    files.bit_flip,
    files.damaged_deflate,
    contents.only_heart_rate,
    contents.only_saturation,
    contents.only_blood_pressure,
    contents.leads_off_throughout,
    contents.unknown_unit,
    contents.unknown_unit_without_records,
    clocks.too_short,
    clocks.one_second_too_short,
    clocks.exactly_one_window,
    files.packet_over_1_mb_early,
    files.packet_over_1_mb_late,
    contents.track_redeclared,
    files.length_of_4_gib,
    clocks.nine_figure_time,
    files.million_tracks,
    files.gzip_bomb,
    clocks.long_silence,
    clocks.six_day_gap,
    clocks.duplicate_and_backward_times,
    contents.unknown_packets_and_texts,
    contents.integer_sentinels,
    contents.other_units,
    contents.device_without_name,
    clocks.header_start_zero,
    clocks.header_start_not_a_number,
    clocks.header_start_years_before,
    clocks.header_start_minutes_before,
    clocks.unwanted_record_first,
    contents.undeclared_track,
    clocks.time_not_finite,
    contents.malformed_packets,
    contents.pressure_before_zeroing,
    files.trailing_bytes,
    files.joined_members,
    files.longer_header,
    files.header_of_26_bytes,
    contents.no_clinical_row,
)
"""One function a fault; its name is the fault's. The order never changes, new ones go to the end."""

FAULTS = (*(fault.__name__ for fault in RECORDED), MISSING_FILE)


def write_fault(folder: Path, index: int, seed: int) -> tuple[CaseTruth, list[list[str]]]:
    """Write fault ``index`` (0, 1, …) below ``folder``: its truth and its rows of the clinical table."""
    number = FIRST_FAULT + index
    name = FAULTS[index]
    has_row = name not in _WITHOUT_ROW
    file = None if name == MISSING_FILE else f"vital_files/{number:04d}.vital"
    base = CaseTruth(
        case_id=f"{number:04d}",
        subject_id=_SUBJECTS + number if has_row else -number,
        file=file,
        fault=name,
        outcome=Outcome.FAILED,
        reason="",
        flags=() if has_row else ("static_imputed",),
        windows=0,
        seconds=None,
        loss=None,
        clinical_row=has_row,
        profile="vitaldb",
        layout="interleaved",
        header_length=None,
        arterial_line=True,
        note=_what_it_is(RECORDED[index]) if file else "The clinical table has a row, and there is no recording.",
    )
    if file is None:
        truth = replace(base, reason="not_found")
    else:
        truth = RECORDED[index](Bench(folder / file, seed, number, base))
    return truth, [_row(seed, number)] if has_row else []


def _row(seed: int, number: int) -> list[str]:
    random = generator(seed, number, "clinical")
    times = Times(SECONDS, -120, SECONDS + 60, 300, SECONDS - 200)
    return row_of(number, _SUBJECTS + number, random_person(random), times, random)


def _what_it_is(fault: Callable[[Bench], CaseTruth]) -> str:
    return (fault.__doc__ or "").strip()
