"""Clients of this process, made one at a time.

A session of boto3 may not be used by several threads, and here the interpreter of every execution, every container's
start and the test itself make clients of the same one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3

_LOCK = threading.Lock()


@contextmanager
def clients_one_at_a_time() -> Iterator[None]:
    """Let clients be made so."""
    make = boto3.Session.client

    def client(session: boto3.Session, *arguments: Any, **options: Any) -> Any:
        with _LOCK:
            return make(session, *arguments, **options)

    with patch.object(boto3.Session, "client", client):
        yield
