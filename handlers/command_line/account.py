"""The caller's account: one session for boto3 and for the object store, and AWS's refusals in plain words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import BadRequestError, CasemillError, TransientError
from core.store import Store, open_store
from handlers.aws.clients import client, is_busy

_DENIED = ("AccessDenied", "Unauthorized", "AuthorizationError", "NotAuthorized", "Forbidden")
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_INVALID = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
)
_SIGN_IN = (
    exceptions.UnauthorizedSSOTokenError,
    exceptions.SSOTokenLoadError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)
_BAD_PROFILE = (exceptions.ProfileNotFound, exceptions.ConfigParseError, exceptions.InvalidConfigError)
_UNREACHABLE = (exceptions.HTTPClientError, exceptions.ConnectionError)
_AGAIN = "Run the same command again."
_GIVE_CREDENTIALS = "Give --aws-profile, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run aws configure."


@dataclass
class Account:
    """``region``, and the credentials that boto3 found; they are renewed as boto3 renews them."""

    region: str
    _credentials: Any = field(repr=False)
    _given: tuple[str, str, str | None] | None = field(default=None, repr=False)

    def open_output(self, location: str, opened: Store | None = None) -> Store:
        """The object store below a location; ``opened`` itself, as long as its credentials still are those of now."""
        with asking("reading credentials"):
            frozen = self._credentials.get_frozen_credentials()
        now = (frozen.access_key, frozen.secret_key, frozen.token)
        if opened is not None and now == self._given:
            return opened
        self._given = now
        # The store knows keys and roles, but no profiles with single sign-on: it takes what boto3 found.
        os.environ.update(AWS_ACCESS_KEY_ID=now[0], AWS_SECRET_ACCESS_KEY=now[1])
        os.environ.pop("AWS_SESSION_TOKEN", None)
        if now[2]:
            os.environ["AWS_SESSION_TOKEN"] = now[2]
        return open_store(location)


def enter(profile: str | None, region: str | None) -> Account:
    """Make the caller's profile and region those of every client in this process.

    Raises
    ------
    BadRequestError
        ``no_credentials``, ``no_region``, ``bad_profile``.
    """
    with asking("reading the AWS profile", profile or os.environ.get("AWS_PROFILE") or "default"):
        boto3.setup_default_session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
        session = boto3.DEFAULT_SESSION
        assert session is not None
        credentials = session.get_credentials()
    client.cache_clear()
    if credentials is None:
        raise BadRequestError("no_credentials", "no AWS credentials were found", fix=_GIVE_CREDENTIALS)
    if not session.region_name:
        raise BadRequestError(
            "no_region", "no AWS region is set", fix="Give --region, set AWS_REGION, or run aws configure."
        )
    # What the clients of handlers.aws and the object store go by.
    os.environ["AWS_REGION"] = session.region_name
    return Account(session.region_name, credentials)


@contextmanager
def asking(what: str, where: str = "") -> Iterator[None]:
    """Turn a refusal of AWS, as it comes or as a function would put it, into what the caller can do about it.

    Raises
    ------
    BadRequestError
        ``aws_denied``, ``aws_refused``, ``bad_credentials``, ``bad_profile``, ``no_credentials``, ``no_region``.
    TransientError
        ``aws_busy``, ``aws_unreachable``, ``credentials_expired``.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise _explained(error, what, where) from error
    except CasemillError as error:
        if isinstance(error.__cause__, BotoCoreError | ClientError):
            raise _explained(error.__cause__, what, where) from error.__cause__
        raise


def _explained(error: BotoCoreError | ClientError, what: str, where: str) -> CasemillError:
    if isinstance(error, ClientError):
        return _refusal(error, what, where)
    said = f"{what}: {' '.join(str(error).split())}"
    if isinstance(error, _SIGN_IN):
        return TransientError("credentials_expired", said, where=where, fix=f"Sign in (aws sso login). {_AGAIN}")
    if isinstance(error, _NO_CREDENTIALS):
        return BadRequestError("no_credentials", said, where=where, fix=_GIVE_CREDENTIALS)
    if isinstance(error, _BAD_PROFILE):
        return BadRequestError("bad_profile", said, where=where, fix="See aws configure list-profiles.")
    if isinstance(error, exceptions.NoRegionError):
        return BadRequestError("no_region", said, where=where, fix="Give --region, or set AWS_REGION.")
    if isinstance(error, _UNREACHABLE):
        return TransientError("aws_unreachable", said, where=where, fix=f"Check the network and the region. {_AGAIN}")
    return BadRequestError("aws_refused", said, where=where, fix="See the message.")


def _refusal(error: ClientError, what: str, where: str) -> CasemillError:
    refusal = error.response.get("Error", {})
    code = str(refusal.get("Code", ""))
    # An answer that is not the service's own (a proxy's, say) has neither.
    said = f"{what}: {' '.join(str(refusal.get('Message') or code or 'refused without a word').split())}"
    if code in _EXPIRED:
        return TransientError("credentials_expired", said, where=where, fix=f"Renew the credentials. {_AGAIN}")
    if code in _INVALID:
        return BadRequestError("bad_credentials", said, where=where, fix="Check the access key, its secret and token.")
    if any(word in code for word in _DENIED):
        return BadRequestError(
            "aws_denied", said, where=where, fix=f"Ask for the permission to do it ({error.operation_name})."
        )
    if is_busy(error):
        return TransientError("aws_busy", said, where=where, fix=f"AWS asks for fewer requests. {_AGAIN}")
    return BadRequestError("aws_refused", said, where=where, fix=f"AWS says {code or 'no'} to {error.operation_name}.")
