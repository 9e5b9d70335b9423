"""Requests as the layers before the emulator read them, and refusals as AWS writes them, in each service's protocol."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote, unquote_plus

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/")
_TARGET = re.compile(r"^[A-Za-z0-9]+(?:_[0-9]+)?\.([A-Za-z]+)$")
_NAMES = {"monitoring": "cloudwatch"}
"""A service's name in permissions, where it is another in signatures."""

_BATCH = (
    "SubmitJob", "DescribeJobs", "ListJobs", "TerminateJob", "TerminateJobs", "CancelJob", "CancelJobs",
    "DescribeJobQueues", "RegisterJobDefinition",
)  # fmt: skip
_BATCH_ACTIONS = {action.lower(): action for action in _BATCH}


@dataclass(frozen=True)
class Request:
    """Who asks (an access key) for what; ``fields`` are the parameters, and S3's stay in path and query."""

    key: str
    region: str
    service: str
    action: str
    fields: dict[str, Any] = field(default_factory=dict)


def read_request(environ: dict[str, Any]) -> Request | None:
    """The request; None where it is not signed. Its body stays readable for who comes next."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        return None
    key, region, service = found.groups()
    action, fields = ("", {}) if service == "s3" else _parameters(service, environ)
    return Request(key, region, _NAMES.get(service, service), action, fields)


def read_body(environ: dict[str, Any]) -> bytes:
    """The request's body, put back for the application."""
    data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(data)
    return bytes(data)


def _parameters(service: str, environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    path = unquote(environ["PATH_INFO"])
    if service == "lambda" and path.endswith("/invocations"):
        # The event itself is not looked at, only its size.
        size = int(environ.get("CONTENT_LENGTH") or 0)
        return "InvokeFunction", {"FunctionName": path.split("/")[-2], "PayloadBytes": size}
    body = read_body(environ)
    if target := _TARGET.match(environ.get("HTTP_X_AMZ_TARGET", "")):
        return target.group(1), json.loads(body or b"{}")
    if service == "batch":
        name = path.rpartition("/")[2]
        return _BATCH_ACTIONS.get(name, name), json.loads(body or b"{}")
    pairs = (pair.partition("=") for pair in body.decode(errors="replace").split("&"))
    fields = {name: unquote_plus(value) for name, _, value in pairs}
    return fields.get("Action", "Unknown"), fields


def refuse(
    environ: dict[str, Any], start_response: Callable[..., Any], service: str, code: str, message: str, status: str
) -> list[bytes]:
    """Answer with an error in the words of the service's protocol."""
    # Unread, the rest of the request would be taken for the next one on the same connection.
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    if service == "s3":
        body, kind = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>", "application/xml"
    elif service in ("ec2", "sns", "cloudformation"):
        inner = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        body, kind = f"<ErrorResponse>{inner}</ErrorResponse>", "text/xml"
    else:
        body, kind = json.dumps({"__type": code, "message": message}), "application/json"
    data = body.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(data))), ("x-amzn-errortype", code)]
    headers.append(("x-amzn-RequestId", str(uuid.uuid4())))
    start_response(status, headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else data]
