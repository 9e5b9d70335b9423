"""What roles may do: statements for the bucket and the sources, and why a few of them name no single resource."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from cdk.storage import Storage

WITHOUT_RESOURCE = {
    "batch:DescribeJobs": "Batch knows no resources for looking at jobs",
    "batch:ListJobs": "Batch knows no resources for looking at jobs",
    "ec2:DescribeSpotPriceHistory": "prices belong to nobody",
    "logs:CreateLogDelivery": "the log deliveries of Step Functions know no resources",
    "logs:DeleteLogDelivery": "the log deliveries of Step Functions know no resources",
    "logs:DescribeLogGroups": "the log deliveries of Step Functions know no resources",
    "logs:DescribeResourcePolicies": "the log deliveries of Step Functions know no resources",
    "logs:GetLogDelivery": "the log deliveries of Step Functions know no resources",
    "logs:ListLogDeliveries": "the log deliveries of Step Functions know no resources",
    "logs:PutResourcePolicy": "the log deliveries of Step Functions know no resources",
    "logs:UpdateLogDelivery": "the log deliveries of Step Functions know no resources",
    "pricing:GetProducts": "prices belong to nobody",
    "xray:GetSamplingRules": "X-Ray knows no resources for its sampling",
    "xray:GetSamplingTargets": "X-Ray knows no resources for its sampling",
    "ecr:GetAuthorizationToken": "ECR gives its token for the registry as a whole; the image is granted apart",
    "kms:CreateGrant": "in a key's policy '*' is the key itself",
    "kms:Decrypt": "in a key's policy '*' is the key itself",
    "kms:DescribeKey": "in a key's policy '*' is the key itself",
    "kms:Encrypt": "in a key's policy '*' is the key itself",
    "kms:GenerateDataKey": "in a key's policy '*' is the key itself",
    "kms:GenerateDataKeyWithoutPlaintext": "in a key's policy '*' is the key itself",
    "kms:ReEncryptFrom": "in a key's policy '*' is the key itself",
    "kms:ReEncryptTo": "in a key's policy '*' is the key itself",
    "xray:PutTelemetryRecords": "X-Ray knows no resources for what it is sent",
    "xray:PutTraceSegments": "X-Ray knows no resources for what it is sent",
}
"""Every action that is granted on ``*``, with the reason; a test compares it with the template."""

WORKER_READS = ("runs/*", "datasets/*")
WORKER_WRITES = (
    "runs/*/staging/*",
    "runs/*/shards/*",
    "runs/*/attempts/*",
    "runs/*/progress/*",
    "datasets/*/train/*",
    "datasets/*/validation/*",
    "datasets/*/test/*",
)
"""Of what a worker writes, all but segments, heartbeats and shard objects is created once; it deletes nothing, and
cannot write the ``_SUCCESS`` or the manifest of a data set."""

WORKER_TAGS = ("runs/*/staging/*",)

NOT_THERE_YET = "runs and data sets come after the deployment; the pattern is one kind of their objects"
WHOLE_SOURCE = "the cases of a source are not known at the deployment; nothing but reading is granted"


def worker_statements(storage: Storage) -> list[iam.PolicyStatement]:
    """What ``core.run.worker`` does with the bucket of runs and data sets."""
    return [
        read(storage, WORKER_READS),
        find(storage),
        write(storage, WORKER_WRITES),
        iam.PolicyStatement(
            sid="TagSegments",
            actions=["s3:PutObjectTagging"],
            resources=[storage.objects(path) for path in WORKER_TAGS],
        ),
        *use_key(storage, ["kms:Decrypt", "kms:GenerateDataKey"]),
    ]


def worker_wildcards(storage: Storage, sources: Sequence[str]) -> dict[str, str]:
    """Each ARN with ``*`` in the worker's statements, and why."""
    own = {storage.objects(path): NOT_THERE_YET for path in (*WORKER_READS, *WORKER_WRITES)}
    return own | {_source_objects(place): WHOLE_SOURCE for place in sources}


def read(storage: Storage, paths: Sequence[str]) -> iam.PolicyStatement:
    """Reading objects; paths below the prefix, with ``*``."""
    return iam.PolicyStatement(
        sid="ReadOutput", actions=["s3:GetObject"], resources=[storage.objects(path) for path in paths]
    )


def find(storage: Storage) -> iam.PolicyStatement:
    """Listing below the prefix, and being told "not there" instead of "denied"."""
    return _find("FindOutput", storage.bucket.bucket_arn, storage.prefix)


def write(storage: Storage, paths: Sequence[str]) -> iam.PolicyStatement:
    """Creating and replacing objects; paths below the prefix, with ``*``."""
    return iam.PolicyStatement(
        sid="WriteOutput", actions=["s3:PutObject"], resources=[storage.objects(path) for path in paths]
    )


def use_key(storage: Storage, actions: Sequence[str]) -> list[iam.PolicyStatement]:
    """The bucket's own key, where it has one."""
    if storage.key is None:
        return []
    return [iam.PolicyStatement(sid="UseKey", actions=list(actions), resources=[storage.key.key_arn])]


def source_statements(places: Sequence[str], keys: Sequence[str]) -> list[iam.PolicyStatement]:
    """Reading the source buckets, ``bucket`` or ``bucket/prefix``, and nothing else."""
    statements = []
    for number, place in enumerate(places):
        bucket, _, prefix = place.partition("/")
        objects = _source_objects(place)
        statements.append(iam.PolicyStatement(sid=f"ReadSource{number}", actions=["s3:GetObject"], resources=[objects]))
        statements.append(_find(f"FindSource{number}", f"arn:{Aws.PARTITION}:s3:::{bucket}", prefix.rstrip("/")))
    if keys:
        statements.append(iam.PolicyStatement(sid="UseSourceKeys", actions=["kms:Decrypt"], resources=list(keys)))
    return statements


def source_places(places: Sequence[str]) -> list[str]:
    """The objects of each source."""
    return [_source_objects(place) for place in places]


def _source_objects(place: str) -> str:
    return f"arn:{Aws.PARTITION}:s3:::{place.rstrip('/')}/*"


def _find(sid: str, bucket_arn: str, prefix: str) -> iam.PolicyStatement:
    # S3 asks for s3:ListBucket too, without a prefix, before it says of an object that it is not there.
    condition = {"StringLikeIfExists": {"s3:prefix": [prefix, f"{prefix}/*"]}} if prefix else None
    return iam.PolicyStatement(sid=sid, actions=["s3:ListBucket"], resources=[bucket_arn], conditions=condition)


def from_this_account(service: str) -> iam.PrincipalBase:
    """A service, as long as it acts for this account (it could be asked to act for another's)."""
    return iam.ServicePrincipal(service).with_conditions({"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}})
