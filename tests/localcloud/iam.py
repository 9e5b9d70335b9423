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
from urllib.parse import unquote
from xml.sax.saxutils import unescape

import boto3

from tests.localcloud.limits import check_policies
from tests.localcloud.requests import Application, Request, read_body, read_request, refuse

_DENIED = {"s3": "AccessDenied", "ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
"""A refusal's code where it is not ``AccessDeniedException``."""

_S3_ACTIONS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}


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
        request = read_request(environ)
        role = self._roles.get(request.key) if request else None
        if request is None or role is None:
            return None
        return self._first_refused(role, calls_of(environ, request))

    def check_absence(self, environ: dict[str, Any]) -> tuple[str, Call] | None:
        """As :meth:`check`, for an object that is not there: only who may list is told so (S3 API, GetObject)."""
        request = read_request(environ)
        role = self._roles.get(request.key) if request else None
        bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        if role is None or not key:
            return None
        return self._first_refused(role, [Call("s3:ListBucket", f"arn:aws:s3:::{bucket}")])

    def _first_refused(self, role: str, calls: Iterable[Call]) -> tuple[str, Call] | None:
        for call in calls:
            self.seen[role].add(call)
            if (role, call.action) in self.withdrawn or not is_allowed(self.statements(role), call):
                self.refused.append((role, call))
                return role, call
        return None

    def statements(self, role: str) -> list[dict[str, Any]]:
        """The statements of a role's policies."""
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
            answer: list[tuple[Any, ...]] = []
            body = self.application(environ, lambda *given: answer.append(given))
            absent = answer[0][0].startswith("404") and "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
            refused = self.permissions.check_absence(environ) if absent else None
            if refused is None:
                start_response(*answer[0])
                return body
        role, call = refused
        message = f"{role} is not authorized to perform: {call.action} on resource: {call.resource}"
        service = call.action.partition(":")[0]
        code = _DENIED.get(service, "AccessDeniedException")
        return refuse(environ, start_response, service, code, message, "403 Forbidden")


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
        actions, resources = listed(statement.get("Action")), listed(statement.get("Resource"))
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


def check_role_policies(client: Any) -> None:
    """Hold every role's inline policies against their limit.

    Raises
    ------
    LimitError
        Too large together.
    """
    for page in client.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            names = client.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
            given = [client.get_role_policy(RoleName=role["RoleName"], PolicyName=name) for name in names]
            check_policies(role["RoleName"], [json.dumps(policy["PolicyDocument"]) for policy in given])


def calls_of(environ: dict[str, Any], request: Request) -> list[Call]:
    """What a request asks permission for."""
    service, fields = request.service, request.fields
    if service == "s3":
        return _s3_calls(environ)
    if service == "batch":
        return _batch_calls(request)
    if service == "lambda" and "FunctionName" in fields:
        return [Call(f"lambda:{request.action}", fields["FunctionName"])]
    # The calls on several messages have no actions of their own (SQS guide, "API permissions").
    action = request.action.removesuffix("Batch") if service == "sqs" else request.action
    return [Call(f"{service}:{action}", _resource(request))]


def _s3_calls(environ: dict[str, Any]) -> list[Call]:
    bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    query, method = environ.get("QUERY_STRING", ""), environ["REQUEST_METHOD"]
    if not key:
        listing = {"GET": "ListBucket", "HEAD": "ListBucket", "POST": "DeleteObject"}
        action = "GetBucketLocation" if "location" in query else listing.get(method, method)
        if method == "POST" and re.search(r"(^|&)delete", query):
            # DeleteObjects asks for the permission on each object that it names.
            keys = re.findall(r"<Key>(.*?)</Key>", read_body(environ).decode())
            return [Call("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{unescape(key)}") for key in keys]
        if method == "GET" and re.search(r"(^|&)versions", query):
            action = "ListBucketVersions"
        return [Call(f"s3:{action}", f"arn:aws:s3:::{bucket}")]
    action = _S3_ACTIONS.get(method, method)
    if "uploads" in query or "uploadId" in query:
        action = "AbortMultipartUpload" if method == "DELETE" else "PutObject"
    if method == "GET" and "versionId=" in query:
        action = "GetObjectVersion"
    if re.search(r"(^|&)tagging", query):
        action += "Tagging"
    actions = [action, *(["PutObjectTagging"] if environ.get("HTTP_X_AMZ_TAGGING") else [])]
    return [Call(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}") for action in actions]


def _batch_calls(request: Request) -> list[Call]:
    name, fields = f"batch:{request.action}", request.fields
    if name == "batch:SubmitJob":
        definition = fields["jobDefinition"]
        # A job with tags is a resource that is tagged: the job, which has no id yet, and its definition.
        tagged = [f"arn:aws:batch:{request.region}:123456789012:job/new", definition] if fields.get("tags") else []
        asked = [Call(name, fields["jobQueue"]), Call(name, definition)]
        return asked + [Call("batch:TagResource", resource) for resource in tagged]
    if name in ("batch:TerminateJob", "batch:CancelJob"):
        return [Call(name, f"arn:aws:batch:{request.region}:123456789012:job/{fields['jobId']}")]
    return [Call(name, "*")]


def _resource(request: Request) -> str:
    fields, region = request.fields, request.region
    for name in ("TopicArn", "StackName", "stateMachineArn", "executionArn", "SecretId", "KeyId"):
        if name in fields:
            return str(fields[name])
    if "QueueUrl" in fields:
        account, queue_name = fields["QueueUrl"].split("/")[-2:]
        return f"arn:aws:sqs:{region}:{account}:{queue_name}"
    if "logGroupName" in fields:
        return f"arn:aws:logs:{region}:123456789012:log-group:{fields['logGroupName']}:*"
    return "*"


def _statements_of(document: dict[str, Any] | str) -> list[dict[str, Any]]:
    found = json.loads(document) if isinstance(document, str) else document
    statements = found["Statement"]
    return [statements] if isinstance(statements, dict) else list(statements)


def listed(value: Any) -> list[str]:
    """A policy's one or many."""
    return [value] if isinstance(value, str) else list(value or ())


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",
    )
