"""The harness of the benchmarks on tiny files, one round: outputs agree, tables have their shape, no time is judged."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("tensorflow")
pytest.importorskip("vitaldb")

from benchmarks import usual
from benchmarks.__main__ import app, chosen
from benchmarks.agree import windows_agree
from benchmarks.cache import case_seconds, run_cases
from benchmarks.errors import DisagreementError
from benchmarks.files import BenchFolder, link_cases
from benchmarks.flame import SHOWN, shown
from benchmarks.layouts import THREE_HOURS_S, TRACKS
from benchmarks.limits import inflate_only
from benchmarks.machine import describe_machine
from benchmarks.measure import Times, in_turn, rate, ratio
from benchmarks.ours import our_case
from benchmarks.page import BEGIN, END, PAGE, with_results
from benchmarks.parts import parts
from benchmarks.picture import BEFORE, REST, STAGES, Stages, chart, stages_of
from benchmarks.processes import environment
from benchmarks.sizes import FULL, Sizes
from benchmarks.table import Part, Results, at_least, at_most, goal_table, line, markdown
from core.recording.writer import Layout
from core.workloads.vitaldb.configuration import Configuration
from core.workloads.vitaldb.windows import count_windows

pytestmark = pytest.mark.slow

TINY = Sizes(
    rounds=1, few_rounds=1, case_s=900, hours=(0.25,), processes=(1, 2), scaling_seconds=0.01,
    cohorts=(20,), planned_cases=60, verified_cases=2, profiled_calls=1,
)  # fmt: skip

SPAWNING = ("workers", "hours", "cohorts", "startup", "plan", "protocol")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> BenchFolder:
    return BenchFolder(tmp_path_factory.mktemp("bench"))


Measure = Callable[[str], Part]


@pytest.fixture(scope="module")
def measured(folder: BenchFolder) -> Measure:
    """A part by its name, measured when it is first asked for."""
    return cache(lambda name: parts()[name](folder, TINY))


@pytest.mark.parametrize("layout", list(Layout))
def test_whole_case(measured: Measure, layout: Layout) -> None:
    part = measured(layout.value.replace("_", "-"))
    assert part.agreements[0].startswith("all 5,3")
    assert part.agreements[1].startswith("19 windows each; 12 features without special rules differ by")
    goals = [found.goal.bound for found in part.lines if found.goal]
    expected = {Layout.PACKED: [15, 14, 25], Layout.TRACK_BY_TRACK: [6, 4, 75], Layout.INTERLEAVED: [9, 8, 65]}
    assert goals == expected[layout]
    assert all(len(seconds) == 1 for seconds in part.times.values())


def test_writer(measured: Measure) -> None:
    part = measured("writer")
    assert part.agreements[0].endswith("bytes of examples are TensorFlow's, byte for byte")
    assert [found.goal.bound for found in part.lines if found.goal] == [30, 15]


def test_verification(measured: Measure) -> None:
    part = measured("verify")
    assert {found.unit for found in part.lines} == {"MB/s"}


def test_profile(measured: Measure, folder: BenchFolder) -> None:
    part = measured("profile")
    assert all(0 <= found.figure <= 100 for found in part.lines)
    assert {path.name for path in folder.root.glob("profile-*.html")} == {
        f"profile-{layout.value}.html" for layout in Layout
    }


@pytest.mark.parametrize("name", SPAWNING)
def test_parts_with_processes_of_their_own(measured: Measure, folder: BenchFolder, name: str) -> None:
    part = measured(name)
    assert part.lines
    assert all(found.figure > 0 for found in part.lines)
    assert not list((folder.root / "scratch").iterdir())


def test_start_up_is_that_of_whole_programs(measured: Measure) -> None:
    figures = {found.what: found.figure for found in measured("startup").lines}
    assert figures["import of the worker"] < figures["a process that imports the worker"]
    assert figures["bare Python"] < figures["a process that imports numpy"]


def test_the_picture_divides_a_whole_case(measured: Measure) -> None:
    names = [layout.value.replace("_", "-") for layout in Layout]
    found = tuple(map(measured, [*names, "profile"]))
    stages = stages_of(Results(quick=True, machine={"casemill": "x", "processor": "y"}, parts=found))
    whole = {part.name: part.times["ours"][0] * 1e3 for part in found if "ours" in part.times}
    assert set(stages.milliseconds) == {layout.value for layout in Layout}
    for layout, figures in stages.milliseconds.items():
        assert list(figures) == list(STAGES)
        assert sum(figures.values()) == pytest.approx(whole[layout], abs=0.03)
        # What is not found by its name would make the rest the whole.
        assert figures["inflating"] > 0
        assert figures[REST] < whole[layout]
    values = chart(stages, stages)["data"]["values"]
    assert len(values) == 2 * len(Layout) * len(STAGES)


def test_the_functions_that_read_the_file_are_always_shown() -> None:
    own = {f"some.py: number_{number}": float(number + 2) for number in range(12)}
    reading = {"folder.py: read_file": 1.0, "<built-in>: FileIO.read": 0.5}
    found = shown(own | reading)
    assert found[:SHOWN] == sorted(own.items(), key=lambda item: -item[1])[:SHOWN]
    assert dict(found[SHOWN:]) == reading
    assert shown(reading) == [("folder.py: read_file", 1.0), ("<built-in>: FileIO.read", 0.5)]


def test_the_stored_figures_can_be_read() -> None:
    assert Stages.model_validate_json(BEFORE.read_bytes()).milliseconds


def test_cache_is_measured_or_said_to_be_missing(measured: Measure) -> None:
    part = measured("cache")
    assert bool(part.lines) != bool(part.missing)


def test_seconds_of_a_case_are_those_of_the_commit_records(folder: BenchFolder, tmp_path: Path) -> None:
    link_cases(folder.recording(Layout.PACKED, TINY.case_s).path, tmp_path / "cases", 3)
    records = run_cases(tmp_path / "cases", tmp_path / "out", [], environment(folder))
    assert sum(len(record.cases) for record in records) == 3
    assert 0 < case_seconds(records) <= max(max(record.made_by.case_seconds.values()) for record in records)


def test_programs_that_differ_are_not_compared(
    folder: BenchFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = folder.recording(Layout.PACKED, TINY.case_s)
    monkeypatch.setitem(usual.RANGES, "HR", (20, 201))
    with pytest.raises(DisagreementError, match="normalised values differ"):
        windows_agree(our_case(recording, tmp_path), recording.path, tmp_path)


def test_recordings_are_made_once(folder: BenchFolder) -> None:
    first = folder.recording(Layout.PACKED, TINY.case_s)
    made = first.path.stat().st_mtime_ns
    again = folder.recording(Layout.PACKED, TINY.case_s)
    assert again == first
    assert again.path.stat().st_mtime_ns == made


def test_packed_limit_inflates_what_is_needed_and_no_more(folder: BenchFolder) -> None:
    recording = folder.recording(Layout.PACKED, TINY.case_s)
    facts, data = recording.facts, recording.path.read_bytes()
    assert 0.05 < facts.needed_bytes / facts.inflated_bytes < 0.1
    assert facts.needed_bytes <= inflate_only(data, facts.needed_bytes) < facts.needed_bytes + 512 * 1024
    assert inflate_only(data, facts.inflated_bytes) == facts.inflated_bytes


def test_full_size_is_what_the_goals_speak_of() -> None:
    assert count_windows(THREE_HOURS_S, Configuration()) == 351
    assert len(TRACKS) == 16
    assert (FULL.case_s, FULL.planned_cases) == (THREE_HOURS_S, 100_000)
    assert {3.0, 10.0} <= set(FULL.hours)
    assert FULL.cohorts == (100, 1_000, 10_000)


def test_contestants_take_turns_each_after_a_call_that_does_not_count() -> None:
    calls: list[str] = []
    ticks = itertools.count()
    found = in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2, clock=lambda: next(ticks))
    assert calls == ["a", "a", "b", "b", "a", "a", "b", "b"]
    assert found == {"a": Times((1, 1)), "b": Times((1, 1))}


def test_figures_are_of_the_medians_and_their_bounds_of_the_rounds() -> None:
    slow, fast = Times((10.0, 12.0, 30.0)), Times((1.0, 2.0, 2.0))
    assert ratio(slow, fast).figure == 6.0
    assert (ratio(slow, fast).low, ratio(slow, fast).high) == (6.0, 15.0)
    assert rate(4.0, fast).figure == 2.0


def results(figure: float) -> Results:
    found = ratio(Times((figure,)), Times((1.0,)))
    lines = (line("fast", found, "×", at_least(2)), line("small", found, "MB", at_most(2)), line("free", found, "s"))
    part = Part(name="part", title="Part", lines=lines, missing=("what is not there",))
    return Results(quick=False, machine=describe_machine(), parts=(part,))


def test_goals_are_met_or_not() -> None:
    assert [found.met for found in results(3.0).lines] == [True, False, None]
    assert [found.met for found in results(2.0).lines] == [True, True, None]
    rows = goal_table(results(3.0)).splitlines()
    assert rows[2:] == [
        "| Part: fast | ≥ 2 × | 3 × | one | yes |",
        "| Part: small | ≤ 2 MB | 3 MB | one | **no** |",
        "| Part: what is not there | | not measured | | |",
    ]
    assert {row.count("|") for row in rows} == {6}
    assert "1 of 2 goals are met." in markdown(results(3.0))


def test_page_takes_the_stored_results() -> None:
    page = PAGE.read_text(encoding="utf-8")
    stored = Results.model_validate_json(results(3.0).model_dump_json())
    once = with_results(page, stored)
    assert once.partition(BEGIN)[0] == page.partition(BEGIN)[0]
    assert once.partition(END)[2] == page.partition(END)[2]
    assert "| Part: fast | ≥ 2 × | 3 × | one | yes |" in once
    assert with_results(once, stored) == once
    with pytest.raises(ValueError, match="both marks"):
        with_results("no marks", stored)


def test_results_are_printed_and_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (line("fast", ratio(Times((3.0,)), Times((1.0,))), "×", at_least(2)),)
    made = {name: lambda folder, sizes, name=name: Part(name=name, title=name, lines=lines) for name in ("one", "two")}
    monkeypatch.setattr("benchmarks.__main__.parts", lambda: made)
    done = CliRunner().invoke(app, ["--out", str(tmp_path / "bench"), "--quick"])
    assert done.exit_code == 0, done.output
    stored = Results.model_validate_json((tmp_path / "bench" / "results.json").read_bytes())
    assert [part.name for part in stored.parts] == ["one", "two"]
    assert stored.quick
    assert markdown(stored) == (tmp_path / "bench" / "results.md").read_text(encoding="utf-8")
    assert "2 of 2 goals are met." in done.output


def test_parts_are_chosen_by_name_or_group() -> None:
    assert chosen("") == list(parts())
    assert chosen("writer, reader") == ["packed", "track-by-track", "interleaved", "writer"]
    with pytest.raises(Exception, match="no part speed"):
        chosen("speed")
