"""Whole cases through the slow reference, their numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reference import tiny_vital as tiny
from tests.reference.slow_profiles import CONCENTRATIONS
from tests.reference.slow_workload import SlowResult, window_count, windows

HR, SPO2, BP_MAP, PROPOFOL, REMIFENTANIL, NORADRENALIN, TV = 0, 4, 3, 7, 8, 9, 10
START = 1000.0
Samples = list[tuple[float, float]]


def every(step: float, value: float, last: float, first: float = 0.0) -> Samples:
    """Samples at START + first, START + first + step ... up to START + last."""
    count = int((last - first) / step) + 1
    return [(START + first + index * step, value) for index in range(count)]


def run(tmp_path: Path, tracks: dict[str, Samples]) -> SlowResult:
    return windows(write(tmp_path, tracks), "vitaldb", None, 12)


def write(tmp_path: Path, tracks: dict[str, Samples]) -> Path:
    return tiny.write_tracks(tmp_path / "0012.vital", dict(tracks), start=START)


# HR 110 is the middle of 20-200 and SpO2 85 the middle of 70-100: both become 0.
TWO_SIGNALS = {"Solar8000/HR": every(1, 110, 329), "Solar8000/PLETH_SPO2": every(1, 85, 329)}


@pytest.mark.parametrize(
    ("seconds", "count"), [(0, 0), (300, 0), (329, 0), (330, 1), (359, 1), (360, 2), (2400, 70), (10800, 350)]
)
def test_window_count(seconds: int, count: int) -> None:
    # (2400 - 330) / 30 + 1 = 70; (10800 - 330) / 30 + 1 = 350
    assert window_count(seconds) == count


def test_one_window(tmp_path: Path) -> None:
    result = run(tmp_path, TWO_SIGNALS)
    assert (result.outcome, result.seconds, len(result.windows)) == ("done", 330, 1)
    assert result.flags == ["static_imputed"]
    window = result.windows[0]
    assert (window["case_id"], window["subject_id"], window["start_s"]) == (12, -12, 0)
    assert len(window["timeseries"]) == 300
    # what was never measured stands at its default: 140 -> -3/19, 80 -> -1/6, 100 -> -1/7, else the clinical zero
    expected = [0, 2 * 80 / 190 - 1, 2 * 50 / 120 - 1, 2 * 60 / 140 - 1, 0] + [-1.0] * 11
    assert window["timeseries"][0] == pytest.approx(expected, abs=1e-7)
    assert window["timeseries"][299] == window["timeseries"][0]
    assert window["targets"] == [-1.0] * 8
    assert window["observed"] == [1, 0, 0, 0, 1] + [0] * 11
    assert window["static"] == pytest.approx([-1 / 6, -1, 1 / 13, -4 / 9, -0.29, -0.6], abs=1e-7)


def test_one_second_less_is_empty(tmp_path: Path) -> None:
    result = run(tmp_path, {name: samples[:-1] for name, samples in TWO_SIGNALS.items()})
    assert (result.outcome, result.reason, result.seconds) == ("empty", "", 329)


def test_last_record_sets_t_even_when_its_value_is_missing(tmp_path: Path) -> None:
    # 0 mL/h at 359.9 of a third wanted track, and an impossible value: T = 360 either way
    for value in (0.0, -1.0):
        result = run(tmp_path, {**TWO_SIGNALS, "Orchestra/NEPI_RATE": [(START + 359.9, value)]})
        assert (result.seconds, [window["start_s"] for window in result.windows]) == (360, [0, 30])


def test_unwanted_tracks_do_not_set_t(tmp_path: Path) -> None:
    assert run(tmp_path, {**TWO_SIGNALS, "Solar8000/GAS2_EXPIRED": every(1, 1, 900)}).seconds == 330


def test_the_target_lies_a_horizon_after_the_last_second(tmp_path: Path) -> None:
    # 42 mL/h * 20 mg/mL / 70 kg = 12 mg/kg/h, the top of the range, in second 329 alone
    rates = [*every(1, 0, 328), (START + 329, 42.0)]
    window = run(tmp_path, {**TWO_SIGNALS, "Orchestra/PPF20_RATE": rates}).windows[0]
    assert window["targets"] == [1.0] + [-1.0] * 7
    assert [row[PROPOFOL] for row in window["timeseries"]] == [-1.0] * 300


def test_horizon_window_and_step_are_settings(tmp_path: Path) -> None:
    rates = [*every(1, 0, 328), (START + 329, 42.0)]
    tracks = {**TWO_SIGNALS, "Orchestra/PPF20_RATE": rates}
    result = windows(write(tmp_path, tracks), "vitaldb", None, 12, window_s=60, step_s=15, horizon_s=0)
    # (330 - 60) / 15 + 1 = 19; the last starts at 270 and ends at 329
    assert [window["start_s"] for window in result.windows] == list(range(0, 271, 15))
    assert result.windows[-1]["targets"][0] == 1.0
    assert result.windows[0]["observed"][HR] == 1.0
    assert result.windows[-2]["targets"][0] == -1.0


def test_observed_counts_held_seconds_and_no_imputed_ones(tmp_path: Path) -> None:
    # SpO2 each second up to 149, held for 2 s: 0 ... 151 are measured, 152 of 300
    tracks = {**TWO_SIGNALS, "Solar8000/PLETH_SPO2": every(1, 85, 149)}
    window = run(tmp_path, tracks).windows[0]
    assert window["observed"][SPO2] == pytest.approx(152 / 300)
    assert [row[SPO2] for row in window["timeseries"]] == [0.0] * 300  # the last value stands for 300 s more


def test_spo2_falls_back_to_96_after_300_s(tmp_path: Path) -> None:
    # the one sample at 0 is held through second 2, then imputed through second 302; 96 -> 2 * 26 / 30 - 1
    tracks = {"Solar8000/HR": every(1, 110, 600), "Solar8000/PLETH_SPO2": [(START, 85.0)]}
    second_window = run(tmp_path, tracks).windows[1]
    values = [row[SPO2] for row in second_window["timeseries"]]
    assert values[:273] == [0.0] * 273  # seconds 30 ... 302
    assert values[273:] == pytest.approx([2 * 26 / 30 - 1] * 27)


def test_two_remifentanil_syringes(tmp_path: Path) -> None:
    # 42 * 20 / 60 / 70 = 0.2 up to second 101; 21 * 50 / 60 / 70 = 0.25 from second 50
    tracks = {
        **TWO_SIGNALS,
        "Orchestra/RFTN20_RATE": every(1, 42, 99),
        "Orchestra/RFTN50_RATE": every(1, 21, 329, first=50),
    }
    values = [row[REMIFENTANIL] for row in run(tmp_path, tracks).windows[0]["timeseries"]]
    assert values[:50] == pytest.approx([-0.5] * 50)  # 2 * 0.2 / 0.8 - 1
    assert values[50:102] == pytest.approx([0.125] * 52)  # 0.45
    assert values[102:] == pytest.approx([-0.375] * 198)  # 0.25


def test_concentrations_are_settings(tmp_path: Path) -> None:
    path = write(tmp_path, {**TWO_SIGNALS, "Orchestra/NEPI_RATE": every(1, 21, 329)})
    doubled = {**CONCENTRATIONS, "Orchestra/NEPI_RATE": 40.0}
    result = windows(path, "vitaldb", {"weight": "140"}, 12, concentrations=doubled)
    # 21 * 40 / 60 / 140 = 0.1 -> 2 * 0.1 / 0.5 - 1
    assert result.windows[0]["timeseries"][0][NORADRENALIN] == pytest.approx(-0.6)


def test_noradrenaline_gap_is_zero(tmp_path: Path) -> None:
    # 21 mL/h at 0 ... 9 and at 20 ... 329: held through 11, nothing at 12 ... 19
    tracks = {**TWO_SIGNALS, "Orchestra/NEPI_RATE": every(1, 21, 9) + every(1, 21, 329, first=20)}
    values = [row[NORADRENALIN] for row in run(tmp_path, tracks).windows[0]["timeseries"]]
    assert values[:12] == pytest.approx([-0.6] * 12)
    assert values[12:20] == [-1.0] * 8
    assert values[20:] == pytest.approx([-0.6] * 280)


def test_samples_before_t0_fill_second_zero(tmp_path: Path) -> None:
    tracks = {**TWO_SIGNALS, "Solar8000/HR": [(START - 0.5, 65.0), *every(1, 110, 329, first=1)]}
    first = run(tmp_path, tracks).windows[0]["timeseries"]
    assert first[0][HR] == -0.5  # 2 * 45 / 180 - 1
    assert first[1][HR] == 0.0


def test_the_second_source_fills_in(tmp_path: Path) -> None:
    # Solar8000 up to 99 (held through 101), Primus throughout; ideal body weight of a woman of 170 cm:
    # 45.5 + 2.3 * (66.929 - 60) = 61.437 kg
    tracks = {**TWO_SIGNALS, "Solar8000/VENT_TV": every(1, 368.622, 99), "Primus/TV": every(7, 184.311, 329)}
    values = [row[TV] for row in run(tmp_path, tracks).windows[0]["timeseries"]]
    assert values[:102] == pytest.approx([0.0] * 102, abs=1e-5)  # 6 mL/kg
    assert values[102:] == pytest.approx([-0.5] * 198, abs=1e-5)  # 3 mL/kg


def test_units_of_the_track_are_used(tmp_path: Path) -> None:
    pieces = [tiny.header(START), tiny.device(1, "Solar8000")]
    pieces += [tiny.track(1, "HR", "1/MIN"), tiny.track(2, "ART_MBP", "k Pa"), tiny.track(3, "ETCO2", "kPa")]
    for second in range(330):
        pieces += [tiny.record(number, START + second, value) for number, value in ((1, 110), (2, 14.66542), (3, 5))]
    result = windows(tiny.write(tmp_path / "0012.vital", *pieces), "vitaldb", None, 12)
    row = result.windows[0]["timeseries"][17]
    # 14.66542 / 0.133322 = 110 mmHg, the middle of 40-180; 5 kPa the middle of 2-8
    assert (row[HR], row[BP_MAP], row[5]) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


# --- outcomes ---------------------------------------------------------------------------------------------------


def test_not_found_and_unreadable(tmp_path: Path) -> None:
    assert windows(tmp_path / "0001.vital", "vitaldb", None, 1).reason == "not_found"
    bad = tmp_path / "0002.vital"
    bad.write_bytes(b"no recording")
    result = windows(bad, "vitaldb", None, 2)
    assert (result.outcome, result.reason) == ("failed", "unreadable")


@pytest.mark.parametrize(
    "tracks",
    [
        {},
        {"Solar8000/HR": every(1, 80, 400)},
        {"Solar8000/HR": every(1, 80, 400), "Solar8000/PLETH_SPO2": every(1, 0, 400)},
        # all three pressures are one signal
        {f"Solar8000/NIBP_{name}": every(1, 90, 400) for name in ("SBP", "DBP", "MBP")},
        # the only pressures disagree
        {
            "Solar8000/HR": every(1, 80, 400),
            "Solar8000/ART_SBP": every(1, 80, 400),
            "Solar8000/ART_DBP": every(1, 60, 400),
            "Solar8000/ART_MBP": every(1, 100, 400),
        },
        # BIS is no signal of this rule
        {"Solar8000/HR": every(1, 80, 400), "BIS/BIS": every(1, 40, 400)},
    ],
)
def test_no_signal(tmp_path: Path, tracks: dict[str, Samples]) -> None:
    result = run(tmp_path, tracks)
    assert (result.outcome, result.reason, result.windows) == ("failed", "no_signal", [])


def test_one_valid_sample_each_is_two_signals(tmp_path: Path) -> None:
    tracks = {"EV1000/ART_MBP": [(START + 329, 110.0)], "Solar8000/PLETH_SPO2": [(START - 50, 85.0)]}
    result = run(tmp_path, tracks)
    assert (result.outcome, result.windows[0]["observed"]) == ("done", [0.0] * 16)


def test_unknown_unit_needs_no_record_and_comes_before_no_signal(tmp_path: Path) -> None:
    pieces = [tiny.header(), tiny.device(1, "Primus"), tiny.track(1, "TV", "L")]
    result = windows(tiny.write(tmp_path / "0012.vital", *pieces), "vitaldb", None, 12)
    assert (result.outcome, result.reason) == ("failed", "unknown_unit")
    # the same track is no track of this profile
    result = windows(tmp_path / "0012.vital", "intellivue", None, 12)
    assert (result.outcome, result.reason) == ("failed", "no_signal")


def test_one_of_several_declarations_is_enough(tmp_path: Path) -> None:
    pieces = [tiny.header(), tiny.device(1, "Primus"), tiny.track(1, "TV", "mmHg"), tiny.track(1, "TV", "mL")]
    assert windows(tiny.write(tmp_path / "0012.vital", *pieces), "vitaldb", None, 12).reason == "unknown_unit"


def test_a_wave_is_no_track_of_the_profile(tmp_path: Path) -> None:
    pieces = [tiny.header(), tiny.device(1, "Solar8000"), tiny.track(1, "HR", "mV", kind=tiny.WAVE, value_format=1)]
    pieces.append(tiny.wave(1, 5.0, [1.0, 2.0]))
    assert windows(tiny.write(tmp_path / "0012.vital", *pieces), "vitaldb", None, 12).reason == "no_signal"


def test_truncated_is_flagged(tmp_path: Path) -> None:
    pieces = [tiny.header(START), tiny.device(1, "D"), tiny.track(1, "X"), tiny.record(1, START, 1.0), b"\x01"]
    result = windows(tiny.write(tmp_path / "0012.vital", *pieces), "vitaldb", {"age": "30"}, 12)
    assert (result.reason, result.flags) == ("no_signal", ["truncated"])


def test_a_start_after_the_last_record_is_empty(tmp_path: Path) -> None:
    tracks = {name: [(time - 500, value) for time, value in samples] for name, samples in TWO_SIGNALS.items()}
    result = run(tmp_path, tracks)
    assert (result.outcome, result.seconds) == ("empty", 0)


def test_csv_gives_the_same_numbers(tmp_path: Path) -> None:
    path = tmp_path / "0012.csv"
    lines = ["Time,Solar8000/HR,Solar8000/PLETH_SPO2"]
    lines += [f"{1000 + second},110,85" for second in range(330)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert windows(path, "vitaldb", None, 12).windows == run(tmp_path, TWO_SIGNALS).windows
