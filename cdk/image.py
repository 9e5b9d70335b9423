"""The worker's image: one of ECR by its digest, or built from ``batch_image/`` when the stack is deployed."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from cdk.settings import Settings

REPOSITORY_ROOT = Path(__file__).parent.parent
PLATFORMS = {"x86_64": assets.Platform.LINUX_AMD64, "arm64": assets.Platform.LINUX_ARM64}


class WorkerImage(Construct):
    """``image`` for the container, ``uri`` for the record of a run."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.image: ecs.ContainerImage
        if settings.image_repository and settings.image_digest:
            repository = ecr.Repository.from_repository_name(self, "Repository", settings.image_repository)
            self.image = ecs.ContainerImage.from_ecr_repository(repository, settings.image_digest)
            self.uri = repository.repository_uri_for_digest(settings.image_digest)
        else:
            # What may come into it is in .dockerignore, so the asset changes with the code of the worker only.
            asset = assets.DockerImageAsset(
                self,
                "Asset",
                directory=str(REPOSITORY_ROOT),
                file="batch_image/Dockerfile",
                platform=PLATFORMS[settings.architecture],
            )
            self.image = ecs.ContainerImage.from_docker_image_asset(asset)
            self.uri = asset.image_uri
