"""``casemill doctor --aws``: an account, its region, and the stack in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from core.code_version import code_version
from core.doctor.findings import Finding, ok, problem, warning
from core.errors import CasemillError
from handlers.aws.clients import client
from handlers.command_line.account import Account, asking, enter
from handlers.command_line.stack import DeployedStack, find_stack

SKEW_SECONDS = 60.0
MOST_SKEW_SECONDS = 300.0
"""AWS refuses requests that are signed five minutes off (IAM, "Signature Version 4": a request must arrive within)."""

_EXECUTION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)-[0-9]{1,15}")

Check = Callable[[], "Finding | Iterable[Finding]"]


def examine_account(
    stack: str, profile: str | None, region: str | None, source: str | None, write: bool
) -> list[Finding]:
    """Everything that can be looked at with these credentials; what may not be looked at is a finding too."""
    from handlers.command_line import doctor_compute, doctor_data

    try:
        account = enter(profile, region)
    except CasemillError as error:
        return [_failed("credentials", error)]
    found = [*looked("credentials", lambda: caller(account))]
    if found[0].fix:
        return found
    found += [ok("region", account.region), *looked(f"stack {stack}", lambda: stack_state(stack))]
    try:
        deployed = find_stack(account, stack)
    except CasemillError as error:
        return [*found, _failed("outputs", error), *looked("quotas", lambda: doctor_compute.quotas({}))]
    found.append(ok("outputs", f"stage {deployed.stage}, output {deployed.output}"))
    checks: Sequence[tuple[str, Check]] = (
        ("state machine", lambda: state_machine(deployed)),
        ("versions", lambda: versions(deployed)),
        ("queues", lambda: doctor_compute.capacity(deployed)),
        ("image", lambda: doctor_compute.image(deployed)),
        ("mail", lambda: doctor_data.mail(deployed)),
        ("bucket", lambda: doctor_data.bucket(deployed, write)),
        *([("source", lambda: doctor_data.source(deployed, str(source)))] if source is not None else []),
    )
    for looked_at, check in checks:
        found += looked(looked_at, check)
    return found


def looked(looked_at: str, check: Check) -> list[Finding]:
    """What a check found; where AWS refuses to answer, that."""
    found: list[Finding] = []
    try:
        with asking(looked_at):
            for item in _each(check()):
                found.append(item)
    except CasemillError as error:
        found.append(_failed(looked_at, error))
    return found


def _each(found: Finding | Iterable[Finding]) -> Iterable[Finding]:
    return (found,) if isinstance(found, Finding) else found


def _failed(looked_at: str, error: CasemillError) -> Finding:
    what = error.what.removeprefix(f"{looked_at}: ")
    said = f"{error.where}: {what} [{error.code}]" if error.where else f"{what} [{error.code}]"
    if error.code == "aws_denied":
        # Others may be allowed what this caller is not: a run does not need most of what is looked at here.
        return warning(looked_at, f"may not be looked at: {what}", error.fix)
    return problem(looked_at, said, error.fix or "See docs/errors.md.")


def caller(account: Account) -> list[Finding]:
    """Who these credentials are, and whether this clock is right; no secret is shown."""
    try:
        said = client("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        skewed = clock(getattr(error, "response", {}), datetime.now(timezone.utc))
        if skewed is not None and skewed.fix:
            return [skewed]
        raise
    right = clock(said, datetime.now(timezone.utc))
    return [ok("credentials", f"{said['Arn']} (account {said['Account']})"), *([right] if right else [])]


def clock(answer: Any, now: datetime) -> Finding | None:
    """How far this machine's clock is from AWS's; None where the answer does not say."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not said:
        return None
    seconds = abs((now - parsedate_to_datetime(said)).total_seconds())
    if seconds < SKEW_SECONDS:
        return ok("clock", f"within {SKEW_SECONDS:.0f} seconds of AWS's")
    text = f"{seconds:,.0f} seconds off; AWS refuses requests that are {MOST_SKEW_SECONDS:.0f} seconds off"
    made = problem if seconds >= MOST_SKEW_SECONDS else warning
    return made("clock", text, "Set it, and let it be kept by a time service (timedatectl set-ntp true).")


def stack_state(name: str) -> Finding:
    """The stack's state in CloudFormation."""
    looked_at = f"stack {name}"
    try:
        state = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in str(error):
            return problem(
                looked_at, "is not there", "Deploy it (cdk deploy), or give --stack, --region or --aws-profile."
            )
        raise
    if state.endswith("_IN_PROGRESS"):
        return warning(looked_at, state, "Wait until the deployment has ended.")
    if "FAILED" in state or state == "ROLLBACK_COMPLETE":
        return problem(looked_at, state, "See its events in CloudFormation, and docs/aws/rollback.md.")
    if state == "UPDATE_ROLLBACK_COMPLETE":
        return warning(looked_at, state, "The last deployment failed and was taken back: see docs/aws/rollback.md.")
    return ok(looked_at, state)


def state_machine(stack: DeployedStack) -> Finding:
    """The machine that executes runs."""
    state = client("stepfunctions").describe_state_machine(stateMachineArn=stack.machine)["status"]
    if state != "ACTIVE":
        return problem("state machine", state, "Deploy the stack again (cdk deploy).")
    return ok("state machine", state)


def versions(stack: DeployedStack) -> Finding:
    """The code here beside the code that planned the stack's last run: the stack itself does not say what it runs."""
    from core.run.pins import read_pins

    own = code_version()
    found = client("stepfunctions").list_executions(stateMachineArn=stack.machine, maxResults=10)["executions"]
    store = stack.open_output()
    for item in found:
        named = _EXECUTION.fullmatch(item["name"])
        run_id = named[1] if named else ""
        pins = read_pins(store, run_id) if run_id else None
        if pins is None:
            continue
        if pins.code_version == own:
            return ok("versions", f"here and in the last run: {own}")
        said = f"here {own}, in the last run ({run_id}) {pins.code_version}"
        return warning("versions", said, "If the stack was not deployed since: deploy it, or check out its version.")
    return ok("versions", f"here {own}; no run has been planned yet, so the stack's is not known")
