"""Examples: each depends on its number and the configuration alone, to the bit, on every processor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadRequestError
from core.examples.pack import pack_examples
from core.workload import Columns, Outcome
from core.workloads.trajectory.configuration import Configuration, resolve_configuration
from core.workloads.trajectory.examples import example_schema, make_examples
from core.workloads.trajectory.workload import TrajectoryWorkload

SETTINGS: list[dict[str, Any]] = [
    {},
    {"preset": "classic"},
    {"preset": "classic", "out_of_frame": "reject", "seed": 7},
    {"channels": 3, "image": 48, "frames": 12, "open_circle": True},
]
DIGESTS = [
    "87f948fb0c7a2b68471bf696fa461ac35957aa869a46c3dfeb7caa03be62b1d7",
    "f0884a1b1c555f22697ab9318d2f6e4c423fe157794071e700d16644a112297a",
    "f7a9f675f6443fa4aa8bd4836b18dffa2bd0671e5e75c0a2c053406b5aaf0d39",
    "586a8d04c88fa347391a270cabee84738fd821a87c5e8a6f3bb5adc809860bf8",
]
"""SHA-256 over the records of samples 0 to 399: a change here makes data sets that cannot be grown."""


def digest(configuration: Configuration) -> str:
    columns = make_examples(configuration, np.arange(400))
    return hashlib.sha256(pack_examples(example_schema(configuration), columns).data).hexdigest()


def digests() -> list[str]:
    return [digest(resolve_configuration(settings)) for settings in SETTINGS]


def test_the_records_are_those_of_all_versions() -> None:
    assert digests() == DIGESTS


def test_the_records_do_not_depend_on_the_processor() -> None:
    """numpy without its vector code for newer processors; its own sine and logarithm differ from those with it."""
    features = np.show_config(mode="dicts")["SIMD Extensions"]["found"]  # type: ignore[index]
    if not features:
        pytest.skip("numpy has nothing here that could be switched off")
    program = "import runpy, sys; print(*runpy.run_path(sys.argv[1])['digests']())"
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": " ".join(features),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    found = subprocess.run(
        [sys.executable, "-c", program, __file__], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == DIGESTS


def same(one: Columns, other: Columns) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(SETTINGS),
    st.lists(st.integers(0, 5_000), min_size=1, max_size=12, unique=True).map(sorted),
)
def test_an_example_does_not_depend_on_the_others(changes: dict[str, Any], numbers: list[int]) -> None:
    configuration = resolve_configuration(changes)
    together = make_examples(configuration, np.array(numbers))
    for row, number in enumerate(numbers):
        alone = make_examples(configuration, np.array([number]))
        assert all(np.array_equal(alone[name][0], together[name][row]) for name in together)


def in_sample_order(samples: int, block_size: int) -> dict[str, Any]:
    workload = TrajectoryWorkload({"samples": samples, "block_size": block_size})
    results = [workload.process(case, None) for case in workload.cohort(None, {}).cases]
    assert all(result.outcome is Outcome.DONE for result in results)
    columns = {name: np.concatenate([result.columns[name] for result in results]) for name in results[0].columns}
    order = np.argsort(columns["sample"][:, 0])
    return {name: column[order] for name, column in columns.items()}


def test_block_size_and_growth_change_no_sample() -> None:
    whole = make_examples(resolve_configuration({}), np.arange(1_000))
    for samples, block_size in ((1_000, 250), (1_000, 100), (1_000, 1_000), (700, 90)):
        found = in_sample_order(samples, block_size)
        assert same(found, {name: column[:samples] for name, column in whole.items()})


def test_other_seeds_make_other_samples() -> None:
    one, other = (make_examples(resolve_configuration({"seed": seed}), np.arange(100)) for seed in (1, 2))
    assert (one["trajectory"] != other["trajectory"]).any(axis=(1, 2)).all()


def test_frames_leave_the_paths_as_they_are() -> None:
    few, many = (
        make_examples(resolve_configuration({"frames": frames, "augment": 0}), np.arange(100)) for frames in (8, 15)
    )
    assert np.allclose(few["trajectory"], many["trajectory"][:, ::2], atol=1e-6)


def test_the_schema_fits_what_is_made() -> None:
    for changes in SETTINGS:
        configuration = resolve_configuration(changes)
        schema, columns = example_schema(configuration), make_examples(configuration, np.arange(40))
        assert pack_examples(schema, columns).records == 40
        for field in schema.fields:
            if field.minimum is not None and field.maximum is not None:
                values = columns[field.name]
                assert field.minimum <= values.min() <= values.max() <= field.maximum, field.name


def test_one_block_is_all_that_stands_in_memory() -> None:
    workload = TrajectoryWorkload({})
    cases = workload.cohort(None, {}).cases
    tracemalloc.start()
    for case in cases[:30]:
        workload.process(case, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"frames": 3}, "frames"),
        ({"channels": 2}, "channels"),
        ({"image": 8}, "image"),
        ({"seed": -1}, "seed"),
        ({"preset": "older"}, "preset"),
        ({"image": 512, "frames": 256}, "block_size"),
        ({"samples": 25_000_001}, "block_size"),
        ({"samples": 1_000_000_000, "frames": 256, "image": 512, "block_size": 4}, "samples"),
        ({"salt": "a\udcff"}, "salt"),
        ({"windows": 3}, "windows"),
    ],
)
def test_a_setting_out_of_its_bounds_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        resolve_configuration(changes)
    assert caught.value.code == "bad_setting"
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"samples": 0}, "0 is too small, 1 is the least"),
        ({"augment": 1.5}, "1.5 is too large, 1.0 is the most"),
        ({"samples": "many"}, "'many' is no whole number"),
        ({"samples": True}, "True is no number"),
        ({"preset": "older"}, "'older' is unknown, it must be 'default' or 'classic'"),
        ({"channels": 2}, "2 is neither 1 (grey) nor 3 (RGB)"),
        ({"sample": 3}, "Did you mean samples?"),
        ({"block_size": 40_000}, "Take 32768 or less."),
        ({"samples": 25_000_001}, "Take a block_size of 251 to 32768."),
    ],
)
def test_a_wrong_setting_is_told_in_words(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        resolve_configuration(changes)
    assert says in (caught.value.what, caught.value.fix.removesuffix(" See docs/trajectory.md."))


def test_the_largest_plan_is_taken() -> None:
    assert resolve_configuration({"samples": 25_000_000}).block_size == 250
    assert resolve_configuration({"samples": 1_000_000_000, "block_size": 10_000}).samples == 1_000_000_000


def test_a_configuration_gives_itself_again() -> None:
    for changes in SETTINGS:
        workload = TrajectoryWorkload(changes)
        assert TrajectoryWorkload(workload.configuration()).configuration() == workload.configuration()


def test_the_metadata_names_every_class() -> None:
    workload = TrajectoryWorkload({})
    classes = workload.metadata([], {})["classes"]
    assert [entry["name"] for entry in classes] == ["linear", "circular", "helical", "parabolic"]
    assert all(entry["equation"] and entry["sentence"] and entry["parameters"] for entry in classes)
    assert all(entry["sentence"] in workload.card() for entry in classes)


@pytest.mark.parametrize(("preset", "sigma"), [("default", (0.002, 0.006)), ("classic", (0.01, 0.03))])
def test_the_metadata_tells_the_augmentation(preset: str, sigma: tuple[float, float]) -> None:
    told = TrajectoryWorkload({"preset": preset, "augment": 0.25}).metadata([], {})["augmentation"]
    assert (told["probability"], told["order"]) == (0.25, ["noise", "rotation", "translation"])
    bounds = {name: (entry["minimum"], entry["maximum"]) for name, entry in told["parameters"].items()}
    assert bounds["noise_sigma"] == sigma
    assert bounds["rotation_about_z_degrees"] == (-15.0, 15.0)
    assert bounds["translation_z"] == (-0.1, 0.1)
