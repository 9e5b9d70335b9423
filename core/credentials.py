"""With which credentials S3 is asked, if with any.

The rule: **sign with the credentials that are there; where there are none, or where a read is refused with them, read
without** (:mod:`core.bucket` does the second half). They are looked for, in this order, in

1. the environment: access key, web identity (EKS), container credentials (ECS, hence Batch with a job role, and
   SageMaker jobs);
2. the shared files of the AWS tools, where the profile holds keys (``aws configure``);
3. the instance metadata service: plain EC2, notebooks, and Batch containers without a job role.

The third has no mark in the environment, so it is asked, for a second at most. ``AWS_SKIP_SIGNATURE=true`` forbids
signing, ``AWS_EC2_METADATA_DISABLED=true`` the question.

Reading without after a refusal is what makes public buckets work from a machine with a narrow role: a signed request
needs the role's permission as well as the bucket's, an unsigned one the bucket's alone.
"""

from __future__ import annotations

import configparser
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from core.errors import BadRequestError

IN_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
METADATA_SERVICE = "http://169.254.169.254"
METADATA_SECONDS = 1.0


def find_credentials(environ: Mapping[str, str]) -> dict[str, str] | None:
    """What the library must be told to sign requests (nothing, where it finds them itself); None: there are none.

    Raises
    ------
    BadRequestError
        ``bad_profile``: ``AWS_PROFILE`` names one that does not exist or holds no keys.
    """
    if environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("true", "1"):
        return None
    if any(environ.get(name) for name in IN_ENVIRONMENT):
        return {}
    profile = _profile(environ)
    if "aws_access_key_id" in profile:
        names = {
            "access_key_id": "aws_access_key_id",
            "secret_access_key": "aws_secret_access_key",
            "session_token": "aws_session_token",
        }
        return {ours: profile[theirs] for ours, theirs in names.items() if theirs in profile}
    if environ.get("AWS_PROFILE"):
        raise BadRequestError(
            "bad_profile",
            "the profile does not exist or holds no access key",
            where=f"AWS_PROFILE={environ['AWS_PROFILE']}",
            fix='For single sign-on and roles: eval "$(aws configure export-credentials --format env)".',
        )
    if _instance_has_role(environ):
        return {"metadata_endpoint": _metadata_service(environ)}
    return None


def find_region(environ: Mapping[str, str]) -> str:
    """The region that was asked for: environment, then profile, then that of most public data sets."""
    return (
        environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _profile(environ).get("region") or "us-east-1"
    )


def _profile(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The settings of the profile in use, from both shared files."""
    name = environ.get("AWS_PROFILE") or "default"
    home = Path(environ.get("HOME") or "~").expanduser() / ".aws"
    files = (
        (environ.get("AWS_CONFIG_FILE") or home / "config", name if name == "default" else f"profile {name}"),
        (environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials", name),
    )
    found: dict[str, str] = {}
    for path, section in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            what = str(error).splitlines()[0]
            raise BadRequestError("bad_profile", what, where=str(path), fix="Correct the file.") from error
        if parser.has_section(section):
            found.update(parser[section])
    return found


def _metadata_service(environ: Mapping[str, str]) -> str:
    return (environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or METADATA_SERVICE).rstrip("/")


def _instance_has_role(environ: Mapping[str, str]) -> bool:
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    base = _metadata_service(environ)
    # The service is on the machine itself: a proxy could only answer for another one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asking = urllib.request.Request(
        f"{base}/latest/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    try:
        with opener.open(asking, timeout=METADATA_SECONDS) as answer:
            token = answer.read(4096).decode("ascii")
        roles = urllib.request.Request(
            f"{base}/latest/meta-data/iam/security-credentials/", headers={"X-aws-ec2-metadata-token": token}
        )
        with opener.open(roles, timeout=METADATA_SECONDS) as answer:
            return bool(answer.read(4096).strip())
    except (OSError, ValueError):
        return False
