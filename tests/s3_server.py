"""An emulated S3 on this machine, with faults on demand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tests.storage_faults import FaultyApplication
from tests.tiny_recordings import TinyCohort

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_numbers = itertools.count(1)


@dataclass
class S3Server:
    """Where the emulator listens, and the layer of faults in front of it."""

    endpoint: str
    faults: FaultyApplication

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it; no machine's own metadata or profile gets into a test."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_CONFIG_FILE": "/nonexistent",
        }

    def client(self) -> Any:
        """A control client that waits out no fault."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}),
        )

    def new_bucket(self) -> str:
        """An empty bucket; its name."""
        name = f"casemill-{next(_numbers)}"
        self.client().create_bucket(Bucket=name)
        return name

    def bucket_of(self, cohort: TinyCohort) -> str:
        """A bucket with the cohort's table, and its recordings below ``recordings/``; its name."""
        name, client = self.new_bucket(), self.client()
        client.put_object(Bucket=name, Key=cohort.clinical.name, Body=cohort.clinical.read_bytes())
        for file in sorted(cohort.source.iterdir()):
            client.put_object(Bucket=name, Key=f"recordings/{file.name}", Body=file.read_bytes())
        return name


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start the emulator on a free port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    listener = server._server
    assert listener is not None
    faults = FaultyApplication(listener.app)
    listener.app = faults
    # Lines of the access log would drown the tests' own output.
    listener.RequestHandlerClass.log = lambda *arguments: None  # type: ignore[method-assign]
    try:
        yield S3Server(f"http://{host}:{port}", faults)
    finally:
        server.stop()
