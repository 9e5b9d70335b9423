"""Fixtures of the tests that need AWS: each is made only where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from botocore.stub import Stubber

    from tests.cloud_account import CloudAccount
    from tests.functions_bench import FunctionsBench


@pytest.fixture
def batch(bench: FunctionsBench) -> Iterator[Stubber]:
    """AWS Batch as the functions of the module's ``bench`` ask it; at the end all answers must have been used."""
    from tests.functions_bench import stub

    with stub("batch") as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture(scope="module")
def account() -> Iterator[CloudAccount]:
    """An emulated account with the stack, of the module's own: it is emptied when the module is done."""
    from tests.cloud_account import cloud_account

    with cloud_account() as found:
        yield found


@pytest.fixture
def cloud(account: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudAccount]:
    """The same, as this process's environment names it; afterwards nothing fails and nothing runs in it."""
    import boto3

    from handlers.aws.clients import client

    for name, value in account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client.cache_clear()
    yield account
    account.fail()
    account.stop_all()
    client.cache_clear()
