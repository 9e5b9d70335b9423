"""A run whose source, table and output are on S3, against the same run on a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.store import open_store
from tests.command_line import Answer, casemill
from tests.s3_server import S3Server
from tests.tiny_recordings import SHORT_WINDOW_OPTIONS, TinyCohort


@pytest.fixture(scope="module")
def server(server: S3Server) -> Iterator[S3Server]:
    """The one that the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def bucket(server: S3Server, tiny_cohort: TinyCohort) -> str:
    return server.bucket_of(tiny_cohort)


@pytest.fixture(scope="module")
def finished(bucket: str) -> Answer:
    """The run."""
    return casemill(
        "run", "--source", f"s3://{bucket}/recordings", "--clinical", f"s3://{bucket}/clinical_data.csv",
        *SHORT_WINDOW_OPTIONS, "--out", f"s3://{bucket}/out/", "--name", "tiny", "--shard-cases", 2, "--workers", 1,
        "--json",
    )  # fmt: skip


def test_the_same_data_as_on_a_folder(finished: Answer, tiny_run: Answer) -> None:
    assert finished.code == 0, finished.err
    assert finished.json["verified"]
    assert finished.json["root_hash"] == tiny_run.json["root_hash"]
    assert finished.json["records"] == tiny_run.json["records"]


def test_every_command_takes_a_location_there(finished: Answer, bucket: str, tmp_path: Path) -> None:
    place = finished.json
    assert place["location"] == f"s3://{bucket}/out/datasets/tiny"
    assert casemill("verify", place["location"]).code == 0
    status = casemill("status", place["run_location"], "--json")
    assert (status.code, status.json["verified"]) == (0, True)
    assert casemill("inspect", f"s3://{bucket}/recordings/0001.csv", "--json").code == 0
    compared = casemill("compare", place["location"], place["run_location"], "--exit-code", "--json")
    assert (compared.code, compared.json["same_data"]) == (0, True), compared.err
    assert compared.json["second"]["effort"] == compared.json["first"]["effort"] != {}
    exported = casemill("export", place["location"], "--out", tmp_path, "--single-file", "--json")
    assert exported.code == 0
    assert sum(item["records"] for item in exported.json) == place["records"]
    planned = casemill(
        "plan", "--source", f"s3://{bucket}/recordings", *SHORT_WINDOW_OPTIONS, "--cases", "1-4", "--dry-run",
        "--split-from", f"{place['location']}/split.json",
    )  # fmt: skip
    assert planned.code == 0, planned.err


def test_what_is_not_there_is_told_in_one_line(bucket: str) -> None:
    for arguments, code in (
        (("run", "--source", "s3://no-such-bucket/x", "--out", f"s3://{bucket}/o2"), "no_bucket"),
        (("run", "--source", f"s3://{bucket}/empty", "--out", f"s3://{bucket}/o2"), "empty_cohort"),
        (("run", "--source", f"s3://{bucket}/recordings", "--clinical", f"s3://{bucket}/none.csv", "--out", "s3://x-y/z"),
         "no_clinical_table"),
        (("status", f"s3://{bucket}/out/runs/none"), "no_run"),
    ):  # fmt: skip
        answer = casemill(*arguments)
        assert answer.code in (1, 64), (arguments, answer.err)
        assert f"[{code}]" in answer.err, (arguments, answer.err)
        assert "Traceback" not in answer.err


def test_attempts_say_how_often_a_request_was_repeated(finished: Answer, bucket: str) -> None:
    store = open_store(finished.json["run_location"])
    records = [json.loads(store.get(item.key)) for item in store.list("attempts")]
    ended = [record for record in records if "why" in record]
    assert ended
    assert all(record["storage_repeats"] == 0 for record in ended)
