"""The licence of a source: as a user states it, and as the open data set's doors have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequestError
from core.run.licence import MOST_CHARACTERS, stated_licence
from core.run.plan import checked_options
from core.run.submission import AskedRun, submission_id
from core.workload import Licence
from core.workloads.vitaldb.doors import door_of


@pytest.mark.parametrize(
    ("text", "name", "url", "spdx"),
    [
        ("CC BY 4.0", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        (" CC-BY-ND-3.0 ", "CC BY-ND 3.0", "https://creativecommons.org/licenses/by-nd/3.0/", "CC-BY-ND-3.0"),
        ("cc0", "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://example.org/terms", "https://example.org/terms", "https://example.org/terms", ""),
        ("contract 17 of the hospital", "contract 17 of the hospital", "", ""),
        ("CC BY 4.0 and more", "CC BY 4.0 and more", "", ""),
    ],
)
def test_what_a_user_states(text: str, name: str, url: str, spdx: str) -> None:
    assert stated_licence(text) == Licence(name, url, spdx)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * (MOST_CHARACTERS + 1), "a\x00b", "a\u2028b"])
def test_what_is_no_statement(text: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checked_options(source_licence=text)
    assert (caught.value.code, caught.value.where) == ("bad_option", "--source-licence")


@given(st.text(max_size=40))
def test_any_text_is_refused_or_a_licence(text: str) -> None:
    try:
        stated = checked_options(source_licence=text).source_licence
    except BadRequestError:
        return
    assert stated is not None
    assert stated_licence(stated).name


def test_a_submission_without_a_licence_keeps_its_id() -> None:
    plain = AskedRun(source=None, workload="toy")
    assert b"source_licence" not in plain.to_bytes()
    stated = AskedRun(source=None, workload="toy", source_licence="CC0-1.0")
    assert submission_id(stated) != submission_id(plain)
    assert AskedRun.model_validate_json(stated.to_bytes()) == stated


@pytest.mark.parametrize(
    ("location", "spdx"),
    [
        ("s3://physionet-open/vitaldb/1.0.0/vital_files", "CC-BY-4.0"),
        ("https://physionet-open.s3.amazonaws.com/vitaldb/1.0.0/vital_files", "CC-BY-4.0"),
        ("https://physionet.org/files/vitaldb/1.0.0", "CC-BY-4.0"),
        ("https://api.vitaldb.net/1.0.1", "CC-BY-NC-SA-4.0"),
        ("https://vitaldb.net", "CC-BY-NC-SA-4.0"),
    ],
)
def test_a_door_of_the_open_data_set(location: str, spdx: str) -> None:
    door = door_of(location)
    assert door is not None
    assert door.licence == stated_licence(spdx)


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "/data/vitaldb",
        "s3://physionet-open/mimic/1.0",
        "s3://physionet-open-copy/vitaldb/1.0.0",
        "s3://mine/vitaldb.net/",
        "https://vitaldb.net.example.org/",
        "https://example.org/?from=https://vitaldb.net/",
    ],
)
def test_no_door(location: str | None) -> None:
    assert door_of(location) is None
