"""How a container starts: the image's entry point, in its surroundings, under its role."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from tests.image_stand_in import StandIn
from tests.localcloud.iam import Permissions
from tests.localcloud.jobs import Container
from tests.metadata_service import MetadataService


@dataclass(frozen=True)
class Launcher:
    """Starts a container: the image's entry point, in its surroundings, under its role."""

    image: StandIn
    base: dict[str, str]
    permissions: Permissions
    spot: MetadataService
    on_demand: MetadataService
    askers: dict[str, str] = field(default_factory=dict)

    def __call__(self, container: Container, command: list[str] | None = None) -> subprocess.Popen[bytes]:
        """``command`` takes the place of the entry point, for an image that is broken on purpose."""
        metadata = self.spot if container.spot else self.on_demand
        credentials = self.permissions.credentials(container.role)
        self.askers[credentials["AWS_ACCESS_KEY_ID"]] = container.environment["AWS_BATCH_JOB_ID"]
        variables = {
            **self.base,
            **container.environment,
            **credentials,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{metadata.endpoint}/{container.host}",
        }
        settings = {**self.image.settings(**variables), "text": False}
        return subprocess.Popen(
            command or self.image.entry(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **settings,
        )
