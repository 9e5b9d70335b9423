"""The bucket of runs and data sets: a new one, or one that is there."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.exceptions import accept
from cdk.settings import Settings

STAGING_TAG = {"casemill": "staging"}
"""What core tags segments with: they lie below each run, where a rule by prefix would have to know every run."""

ACCESS_LOG_DAYS = 90
UPLOAD_DAYS = 3


class Storage(Construct):
    """``bucket``, ``prefix`` and the location they make; ``access_logs`` where the bucket is new."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self.prefix = settings.prefix
        self.access_logs: s3.IBucket | None = None
        self.bucket: s3.IBucket
        self.key: kms.IKey | None
        if settings.bucket is not None:
            self.key = kms.Key.from_key_arn(self, "Key", settings.bucket_key) if settings.bucket_key else None
            self.bucket = s3.Bucket.from_bucket_attributes(
                self, "Bucket", bucket_name=settings.bucket, encryption_key=self.key
            )
        else:
            self.key = key
            self.access_logs = self._new_access_logs()
            self.bucket = self._new_bucket(settings, self.access_logs)

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``, with the bucket's name as a token."""
        return f"s3://{self.bucket.bucket_name}/{self.prefix}".rstrip("/")

    def key_of(self, path: str) -> str:
        """A key, or a pattern of keys, below the prefix."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def objects(self, path: str) -> str:
        """The ARN of objects below the prefix; ``path`` may hold ``*``."""
        return self.bucket.arn_for_objects(self.key_of(path))

    def _new_bucket(self, settings: Settings, access_logs: s3.IBucket) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.KMS if self.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            bucket_key_enabled=True if self.key else None,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="bucket/",
            lifecycle_rules=self._lifecycle(settings),
            removal_policy=RemovalPolicy.RETAIN,
        )
        accept(
            bucket,
            {
                "HIPAA.Security-S3BucketReplicationEnabled": "A second copy in another place doubles the bill. What is "
                "here is made from the source again by the same run, byte for byte; versions guard against deletion.",
            },
        )
        if not self.key:
            accept(
                bucket,
                {
                    "HIPAA.Security-S3DefaultEncryptionKMS": "S3's own key encrypts; a key of the stack's own costs a "
                    "dollar a month and is the setting casemill:kms."
                },
            )
        return bucket

    def _lifecycle(self, settings: Settings) -> list[s3.LifecycleRule]:
        versions = Duration.days(settings.old_version_days)
        return [
            s3.LifecycleRule(
                id="staging",
                prefix=self.key_of("runs/"),
                tag_filters=STAGING_TAG,
                expiration=Duration.days(settings.staging_days),
                noncurrent_version_expiration=Duration.days(1),
            ),
            s3.LifecycleRule(id="old-runs", prefix=self.key_of("runs/"), expiration=Duration.days(settings.run_days)),
            s3.LifecycleRule(id="old-versions", noncurrent_version_expiration=versions),
            # A rule of its own: S3 refuses it together with an expiration in days.
            s3.LifecycleRule(id="delete-markers", expired_object_delete_marker=True),
            s3.LifecycleRule(
                id="incomplete-uploads", abort_incomplete_multipart_upload_after=Duration.days(UPLOAD_DAYS)
            ),
        ]

    def _new_access_logs(self) -> s3.Bucket:
        logs = s3.Bucket(
            self,
            "AccessLogs",
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=[s3.LifecycleRule(id="old-logs", expiration=Duration.days(ACCESS_LOG_DAYS))],
            removal_policy=RemovalPolicy.RETAIN,
        )
        only_logs = "It holds nothing but the access logs of the data bucket, which only S3 writes, for 90 days: "
        accept(
            logs,
            {
                "AwsSolutions-S1": only_logs + "logs of its own would never end.",
                "HIPAA.Security-S3BucketLoggingEnabled": only_logs + "logs of its own would never end.",
                "HIPAA.Security-S3BucketVersioningEnabled": only_logs + "S3 never replaces one.",
                "HIPAA.Security-S3BucketReplicationEnabled": only_logs + "no second copy is worth its price.",
                "HIPAA.Security-S3DefaultEncryptionKMS": only_logs + "S3's own key encrypts them.",
            },
        )
        return logs
