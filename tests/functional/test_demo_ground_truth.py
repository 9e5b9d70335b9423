"""The ground truth of the demo cohort against the reader: two people's books on the same files must agree."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from core.errors import ContentError
from core.recording.model import LossReport, Recording
from core.recording.vital import read_vital
from core.workload import Outcome
from core.workloads.vitaldb.demo import CaseTruth, DemoCohort, write_demo_cohort
from core.workloads.vitaldb.demo.channels import WANTED
from core.workloads.vitaldb.demo.faults import FAULTS
from core.workloads.vitaldb.profiles import PROFILE_NAMES, shipped_profile


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> DemoCohort:
    return write_demo_cohort(tmp_path_factory.mktemp("demo"), 6, 7, waveforms=False, faults=True)


def _read(folder: Path, case: CaseTruth) -> Recording:
    assert case.file is not None
    with (folder / case.file).open("rb") as file:
        return read_vital(iter(lambda: file.read(256 * 1024), b""), WANTED)


def _rounded(loss: LossReport) -> LossReport:
    return dataclasses.replace(loss, seconds=round(loss.seconds, 3), largest_gap_s=round(loss.largest_gap_s, 3))


def _assert_agrees(cohort: DemoCohort, case: CaseTruth) -> None:
    if case.reason == "unreadable":
        with pytest.raises(ContentError) as caught:
            _read(cohort.folder, case)
        assert caught.value.code == "unreadable"
        return
    recording = _read(cohort.folder, case)
    assert case.loss is not None
    assert _rounded(recording.loss) == _rounded(case.loss)
    if case.seconds is not None:
        last = max(float(track.times[-1]) for track in recording.tracks.values() if track.times.size)
        assert int((last - recording.t0) // 1) + 1 == case.seconds
    assert recording.loss.truncated == ("truncated" in case.flags)


def test_wanted_tracks_are_those_of_the_shipped_profiles() -> None:
    assert {track for name in PROFILE_NAMES for track in shipped_profile(name).tracks} == WANTED


@pytest.mark.parametrize("index", range(6))
def test_reader_agrees_on_ordinary_case(cohort: DemoCohort, index: int) -> None:
    _assert_agrees(cohort, cohort.truth[index])


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "missing_file"])
def test_reader_agrees_on_fault(cohort: DemoCohort, fault: str) -> None:
    case = next(case for case in cohort.truth if case.fault == fault)
    _assert_agrees(cohort, case)


def test_waveforms_do_not_change_the_wanted_values(tmp_path: Path, cohort: DemoCohort) -> None:
    with_waves = write_demo_cohort(tmp_path, 1, 7, waveforms=True, faults=False)
    [case] = with_waves.truth
    _assert_agrees(with_waves, case)
    assert case.outcome is Outcome.DONE
    assert case.windows == cohort.truth[0].windows
    plain, full = _read(cohort.folder, cohort.truth[0]), _read(tmp_path, case)
    assert plain.tracks.keys() == full.tracks.keys()
    for name, track in plain.tracks.items():
        assert (track.values == full.tracks[name].values).all()
