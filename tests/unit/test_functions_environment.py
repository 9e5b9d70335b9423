"""The settings that a function gets from the template."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.errors import BugError
from handlers.environment import environment
from tests.emitted_metrics import VARIABLES


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    environment.cache_clear()
    yield
    environment.cache_clear()


def test_a_whole_environment() -> None:
    assert environment().output == VARIABLES["CASEMILL_OUTPUT"]


def test_one_with_gaps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASEMILL_TOPIC")
    monkeypatch.setenv("CASEMILL_OUTPUT", "/tmp")
    with pytest.raises(BugError, match=r"CASEMILL_OUTPUT, CASEMILL_TOPIC.*bad_environment"):
        environment()
