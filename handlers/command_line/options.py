"""The options that every command for the cloud has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import BadRequestError

if TYPE_CHECKING:
    from handlers.command_line.stack import DeployedStack

DEFAULT_STACK = "Casemill"
SDK = ("boto3", "botocore", "aws_lambda_powertools")

Run = Annotated[str, typer.Argument(help="The run's id, as casemill submit printed it.")]
Stack = Annotated[str, typer.Option(help="Name of the CloudFormation stack.")]
AwsProfile = Annotated[str | None, typer.Option(help="AWS profile; AWS_PROFILE or the default one if not given.")]
Region = Annotated[str | None, typer.Option(help="AWS region of the stack; that of the profile if not given.")]


def open_stack(stack: str, aws_profile: str | None, region: str | None) -> DeployedStack:
    """The deployed stack, with the caller's own credentials.

    Raises
    ------
    BadRequestError
        ``aws_not_installed``, ``no_credentials``, ``no_region``, ``bad_profile``, ``no_stack``, ``bad_stack``,
        ``aws_denied``.
    TransientError
        ``aws_busy``, ``aws_unreachable``, ``credentials_expired``.
    """
    need_sdk()
    from handlers.command_line.account import enter
    from handlers.command_line.stack import find_stack

    return find_stack(enter(aws_profile, region), stack)


def need_sdk() -> None:
    """Load the AWS SDK.

    Raises
    ------
    BadRequestError
        ``aws_not_installed``.
    """
    try:
        import handlers.command_line.account
        import handlers.command_line.stack  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in SDK:
            raise
        raise BadRequestError(
            "aws_not_installed",
            f"the commands for the cloud need {error.name}",
            where="casemill",
            fix="Install it: pip install -e '.[aws]'",
        ) from error
