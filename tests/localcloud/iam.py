"""Permissions that count: every call of a function or a container is held against its own role's policies.

moto's engine looks at actions only and leaves conditions out; here the resource counts too. What a call is, and what it
touches, is read off the request for the services that Casemill calls. A Deny wins; conditions are met (asserted on the
template instead).
"""

from __future__ import annotations

import fnmatch
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_plus
from xml.sax.saxutils import unescape

import boto3

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/")
_S3_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_TARGET = re.compile(r"^[A-Za-z0-9]+(?:_[0-9]+)?\.([A-Za-z]+)$")


@dataclass(frozen=True)
class Call:
    """One request: ``service:Action`` and what it touches (``*`` where the action knows no resource)."""

    action: str
    resource: str


@dataclass
class Permissions:
    """Roles' credentials, what each role was seen to do, and what was refused.

    ``withdrawn`` are (role name, action) pairs that are refused although the policies grant them: to see who notices.
    """

    endpoint: str
    seen: defaultdict[str, set[Call]] = field(default_factory=lambda: defaultdict(set))
    refused: list[tuple[str, Call]] = field(default_factory=list)
    withdrawn: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._roles: dict[str, str] = {}
        self._policies: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def credentials(self, role_arn: str) -> dict[str, str]:
        """The variables of a process that runs under a role."""
        client = _client("sts", self.endpoint)
        given = client.assume_role(RoleArn=role_arn, RoleSessionName="local")["Credentials"]
        self._roles[given["AccessKeyId"]] = role_arn.rpartition("/")[2]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def forget_policies(self) -> None:
        """After a deployment."""
        with self._lock:
            self._policies.clear()

    def check(self, environ: dict[str, Any]) -> tuple[str, Call] | None:
        """The role and the call where it is refused; None where it may go on."""
        found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        role = self._roles.get(found.group(1)) if found else None
        if found is None or role is None:
            return None
        for call in calls_of(environ, found.group(2), found.group(3)):
            self.seen[role].add(call)
            if (role, call.action) in self.withdrawn or not is_allowed(self._statements(role), call):
                self.refused.append((role, call))
                return role, call
        return None

    def _statements(self, role: str) -> list[dict[str, Any]]:
        with self._lock:
            if role not in self._policies:
                self._policies[role] = list(read_statements(_client("iam", self.endpoint), role))
            return self._policies[role]


@dataclass
class GuardedApplication:
    """An application that refuses what a role may not do."""

    application: Application
    permissions: Permissions

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        refused = self.permissions.check(environ)
        if refused is None:
            return self.application(environ, start_response)
        role, call = refused
        message = f"{role} is not authorized to perform: {call.action} on resource: {call.resource}"
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if call.action.startswith("s3:"):
            body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>".encode()
            kind = "application/xml"
        elif call.action.partition(":")[0] in ("ec2", "sns", "cloudformation"):
            body = (
                f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"
            )
            body, kind = body.encode(), "text/xml"  # type: ignore[assignment]
        else:
            body, kind = (
                json.dumps({"__type": "AccessDeniedException", "message": message}).encode(),
                "application/json",
            )
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-errortype", "AccessDenied")]
        start_response("403 Forbidden", headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def is_allowed(statements: Iterable[dict[str, Any]], call: Call) -> bool:
    """Whether policies grant a call.

    >>> read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/runs/*"}
    >>> is_allowed([read], Call("s3:GetObject", "arn:aws:s3:::b/runs/1/run.json"))
    True
    >>> is_allowed([read], Call("s3:GetObject", "arn:aws:s3:::b/other"))
    False
    """
    allowed = False
    for statement in statements:
        actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
        hit = any(fnmatch.fnmatchcase(call.action.lower(), action.lower()) for action in actions) and any(
            resource == "*" or fnmatch.fnmatchcase(call.resource, resource) for resource in resources
        )
        if hit and statement["Effect"] == "Deny":
            return False
        allowed = allowed or hit
    return allowed


def read_statements(client: Any, role: str) -> Iterator[dict[str, Any]]:
    """Every statement of a role's own and attached policies."""
    for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
        yield from _statements_of(client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    for attached in client.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = client.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        found = client.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
        yield from _statements_of(found["PolicyVersion"]["Document"])


def calls_of(environ: dict[str, Any], region: str, service: str) -> list[Call]:
    """What a request asks for."""
    if service == "s3":
        return _s3_calls(environ)
    body = _body(environ)
    target = _TARGET.match(environ.get("HTTP_X_AMZ_TARGET", ""))
    service = {"monitoring": "cloudwatch"}.get(service, service)
    if target:
        # The calls on several messages have no actions of their own (SQS guide, "API permissions").
        action = target.group(1).removesuffix("Batch") if service == "sqs" else target.group(1)
        return [Call(f"{service}:{action}", _json_resource(service, region, json.loads(body or b"{}")))]
    if service == "batch":
        return _batch_calls(environ["PATH_INFO"], region, json.loads(body or b"{}"))
    fields = {
        name: unquote_plus(value) for name, _, value in (pair.partition("=") for pair in body.decode().split("&"))
    }
    touched = next((fields[name] for name in ("TopicArn", "QueueUrl", "StackName") if name in fields), "*")
    return [Call(f"{service}:{fields.get('Action', 'Unknown')}", touched)]


def _s3_calls(environ: dict[str, Any]) -> list[Call]:
    bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    query, method = environ.get("QUERY_STRING", ""), environ["REQUEST_METHOD"]
    if not key:
        listing = {"GET": "ListBucket", "HEAD": "ListBucket", "POST": "DeleteObject"}
        action = "GetBucketLocation" if "location" in query else listing.get(method, method)
        if method == "POST" and re.search(r"(^|&)delete", query):
            # DeleteObjects asks for the permission on each object that it names.
            keys = re.findall(r"<Key>(.*?)</Key>", _body(environ).decode())
            return [Call("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{unescape(key)}") for key in keys]
        if method == "GET" and re.search(r"(^|&)versions", query):
            action = "ListBucketVersions"
        return [Call(f"s3:{action}", f"arn:aws:s3:::{bucket}")]
    action = _S3_ACTIONS.get(method, method)
    if "uploads" in query or "uploadId" in query:
        action = "AbortMultipartUpload" if method == "DELETE" else "PutObject"
    if method == "GET" and "versionId=" in query:
        action = "GetObjectVersion"
    return [Call(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}")]


def _batch_calls(path: str, region: str, body: dict[str, Any]) -> list[Call]:
    known = ("SubmitJob", "DescribeJobs", "ListJobs", "TerminateJob", "CancelJob", "DescribeJobQueues")
    names = {action.lower(): action for action in known}
    name = names.get(path.rpartition("/")[2], path)
    if name == "SubmitJob":
        return [Call("batch:SubmitJob", body["jobQueue"]), Call("batch:SubmitJob", body["jobDefinition"])]
    if name in ("TerminateJob", "CancelJob"):
        return [Call(f"batch:{name}", f"arn:aws:batch:{region}:123456789012:job/{body['jobId']}")]
    return [Call(f"batch:{name}", "*")]


def _json_resource(service: str, region: str, body: dict[str, Any]) -> str:
    for name in ("stateMachineArn", "executionArn", "SecretId", "KeyId"):
        if name in body:
            return str(body[name])
    if "QueueUrl" in body:
        account, queue_name = body["QueueUrl"].split("/")[-2:]
        return f"arn:aws:sqs:{region}:{account}:{queue_name}"
    if "logGroupName" in body:
        return f"arn:aws:logs:{region}:123456789012:log-group:{body['logGroupName']}:*"
    return "*"


def _body(environ: dict[str, Any]) -> bytes:
    """The request's body, put back for the application."""
    from io import BytesIO

    data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(data)
    return bytes(data)


def _statements_of(document: dict[str, Any] | str) -> list[dict[str, Any]]:
    found = json.loads(document) if isinstance(document, str) else document
    statements = found["Statement"]
    return [statements] if isinstance(statements, dict) else list(statements)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",
    )
