"""Device profiles: shipped, chosen by what was recorded, and made by the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import BadRequestError
from core.recording.model import Track
from core.workloads.vitaldb.configuration import resolve_configuration
from core.workloads.vitaldb.features import FEATURE_NAMES
from core.workloads.vitaldb.profiles import PROFILE_NAMES, choose_profile, resolve_profiles, shipped_profile

CUSTOM = """
name = "theatre"
[[blood_pressure]]
systolic = "Box/SYS"
mean = "Box/MEAN"
[features]
HR = ["Box/HR", "Box/PULSE"]
"""


def tracks(*recorded: str, declared: tuple[str, ...] = ()) -> dict[str, Track]:
    one, none = np.zeros(1), np.zeros(0)
    return {name: Track(name, one, one) for name in recorded} | {name: Track(name, none, none) for name in declared}


def chosen(*recorded: str, declared: tuple[str, ...] = ()) -> str:
    return choose_profile(resolve_profiles("auto"), tracks(*recorded, declared=declared)).name


def test_the_shipped_profiles() -> None:
    assert [profile.name for profile in resolve_profiles("auto")] == list(PROFILE_NAMES)
    vitaldb = shipped_profile("vitaldb")
    assert all(vitaldb.sources(name) for name in FEATURE_NAMES)
    assert vitaldb.sources("BP_MAP") == ("Solar8000/ART_MBP", "Solar8000/NIBP_MBP", "EV1000/ART_MBP")
    assert vitaldb.sources("RR") == ("Primus/RR_CO2", "Solar8000/RR_CO2", "Solar8000/VENT_RR", "Solar8000/RR")
    assert shipped_profile("draeger").sources("BP_DIA")[-1] == "Tofcuff/NIBP_DIA"
    assert shipped_profile("intellivue").sources("HR") == ("Intellivue/HR", "Intellivue/ECG_HR")
    for name in PROFILE_NAMES:
        assert shipped_profile(name).sources("Propofol_INF") == ("Orchestra/PPF20_RATE",)
        assert shipped_profile(name).sources("BIS") == ("BIS/BIS",)


def test_no_track_carries_two_features() -> None:
    for name in PROFILE_NAMES:
        listed = [track for feature in FEATURE_NAMES for track in shipped_profile(name).sources(feature)]
        assert len(listed) == len(set(listed))


def test_the_profile_that_finds_most_is_chosen() -> None:
    assert chosen("Solar8000/HR", "BIS/BIS") == "vitaldb"
    assert chosen("Infinity/HR", "MedibusX/ETCO2", "Solar8000/HR") == "draeger"
    assert chosen("Intellivue/HR", "Orchestra/PPF20_RATE", "BIS/BIS") == "intellivue"
    # What every theatre has says nothing; then the order decides.
    assert chosen("Orchestra/PPF20_RATE", "BIS/BIS") == "vitaldb"
    assert chosen() == "vitaldb"


def test_recorded_tracks_count_more_than_declared_ones() -> None:
    assert chosen("Intellivue/HR", declared=("Solar8000/HR", "Solar8000/ETCO2", "Solar8000/FIO2")) == "intellivue"
    assert chosen(declared=("Infinity/HR",)) == "draeger"


def test_several_tracks_of_one_feature_count_once() -> None:
    assert chosen("Solar8000/RR_CO2", "Solar8000/VENT_RR", "Solar8000/RR", "Infinity/HR", "MedibusX/TV") == "draeger"


def test_a_custom_profile(tmp_path: Path) -> None:
    path = tmp_path / "theatre.toml"
    path.write_text(CUSTOM)
    (profile,) = resolve_profiles(str(path))
    assert profile.name == "theatre"
    assert profile.tracks == {
        "Box/HR": "HR",
        "Box/PULSE": "HR",
        "Box/SYS": "BP_SYS",
        "Box/MEAN": "BP_MAP",
    }
    assert profile.sources("BP_DIA") == ()
    assert choose_profile((profile,), tracks("Solar8000/HR")) is profile


def test_a_resolved_configuration_carries_its_profiles(tmp_path: Path) -> None:
    path = tmp_path / "theatre.toml"
    path.write_text(CUSTOM)
    first = resolve_configuration({"profiles": str(path)})
    path.unlink()
    assert resolve_configuration(first.model_dump(mode="json")) == first


@pytest.mark.parametrize(
    "content",
    [
        "name = ",
        "features = 3",
        'name = "x"\n[features]\nHEART = ["Box/HR"]',
        'name = "x"\n[features]\nBP_SYS = ["Box/SYS"]',
        'name = "x"\nsurprise = 1',
        'name = "x"\n[[blood_pressure]]\nsystolisch = "Box/SYS"',
        "",
    ],
)
def test_bad_profiles(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(BadRequestError) as caught:
        resolve_profiles(str(path))
    assert caught.value.code == "unknown_profile"
    assert "\n" not in caught.value.what


def test_profiles_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for choice in ("none", "Vitaldb", "", *(str(tmp_path / f"{name}.toml") for name in ("none", "folder", "binary"))):
        with pytest.raises(BadRequestError) as caught:
            resolve_profiles(choice)
        assert caught.value.code == "unknown_profile"


@pytest.mark.parametrize(
    "settings",
    [
        {"window_s": 0},
        {"step_s": 0},
        {"horizon_s": -1},
        {"window_s": 1.5},
        {"surprise": 1},
        {"profiles": []},
        {"concentrations": {"Orchestra/PPF20_RATE": 0}},
        {"concentrations": {"Orchestra/PPF20_RATE": float("nan")}},
        {"concentrations": {"Solar8000/HR": 20}},
    ],
)
def test_settings_out_of_bounds(settings: dict[str, object]) -> None:
    with pytest.raises(BadRequestError) as caught:
        resolve_configuration(settings)
    assert caught.value.code == "bad_setting"
    assert "\n" not in caught.value.what


def test_a_given_concentration_leaves_the_others() -> None:
    found = resolve_configuration({"concentrations": {"Orchestra/NEPI_RATE": 40.0}}).concentrations
    assert found == {
        "Orchestra/PPF20_RATE": 20.0,
        "Orchestra/RFTN20_RATE": 20.0,
        "Orchestra/RFTN50_RATE": 50.0,
        "Orchestra/NEPI_RATE": 40.0,
    }
