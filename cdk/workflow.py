"""The workflow (design, "On AWS"): plan, rounds of work with a guard beside them, verify, publish, notify.

Every task has retries for faults that pass and a catch; every failure ends in a report and a notification. JSONPath.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.exceptions import INLINE_POLICY, accept, accept_wildcards
from cdk.functions import Function
from cdk.logs import new_log_group
from cdk.permissions import WITHOUT_RESOURCE, from_this_account
from cdk.steps import any_job, specs

if TYPE_CHECKING:
    from cdk.workflow_props import WorkflowProps

ON_EVERYTHING = ("batch:DescribeJobs", "logs:CreateLogDelivery", "xray:PutTraceSegments")
"""Actions of the state machine's role that know no resources."""

MOST_LOOKS = 2_600
"""Of the guard in one execution, 9 events each: the history ends at 25,000 (Step Functions quotas), and verifying comes
after. An execution that lasts longer times out with a mail; submitted again, the run goes on."""

LONGEST_SECONDS = 14 * 86_400
MOST_GROUPS_AT_ONCE = 10

TRANSIENT = (
    "TransientError",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "States.Timeout",
)
"""Faults of the services and of the network, and calls that took too long; our own errors keep their class's name."""

BATCH_TRANSIENT = (
    "Batch.ServerException",
    "Batch.BatchException",
    "Batch.AWSBatchException",
    "Batch.SdkClientException",
    "Batch.ThrottlingException",
    "Batch.TooManyRequestsException",
)

NOT_SUBMITTED = (
    "Batch.ClientException",
    "Batch.AccessDeniedException",
    "States.Runtime",
    "States.ParameterPathFailure",
)
"""A job that was refused will be refused again; what else ends a round is looked at by the next inspection."""

BATCH_RULE = "StepFunctionsGetEventsForBatchJobsRule"
"""The rule by which Step Functions hears of jobs (Step Functions guide, connect-batch)."""

RUN_ID, BUDGET = "$.run.run_id", "$.run.budget_usd"
ERROR, CAUGHT, UNASKED = "$.error", "$.caught", "$.unasked"


@dataclass(frozen=True)
class _Caught:
    """Where a task goes when it has failed for good."""

    handler: sfn.IChainable
    errors: tuple[str, ...] = ("States.ALL",)
    result_path: str = ERROR


class Workflow(Construct):
    """``state_machine``, ``functions`` by name, and ``ended``, the rule for executions that end without a word."""

    def __init__(self, scope: Construct, construct_id: str, *, props: WorkflowProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self.functions = {
            name: Function(
                self,
                f"{name.capitalize()}Function",
                spec=spec,
                settings=props.settings,
                key=props.key,
                built_functions=props.built_functions,
            )
            for name, spec in specs(props).items()
        }
        for function in self.functions.values():
            # A published version keeps the revision of the job definition in its environment, where the CDK sees a
            # reference that does not change: new runs would go on with the old revision.
            function.function.invalidate_version_based_on(props.compute.job_definition_text)
        self.role = self._role()
        self.log_group = new_log_group(self, "Logs", days=props.settings.log_retention_days, key=props.key)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_chainable(self._definition()),
            role=self.role,
            timeout=Duration.seconds(min(LONGEST_SECONDS, MOST_LOOKS * props.settings.guard_seconds)),
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=self.log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
        self.ended = self._tell_of_other_ends()
        self._accept()

    def _definition(self) -> sfn.IChainable:
        failed = self._failure()
        plan = self._task(
            "Plan",
            "plan",
            {"execution.$": "$$.Execution.Name", "submission.$": "$$.Execution.Input"},
            caught=_Caught(failed),
            result_path="$",
        )
        inspect = self._task(
            "Inspect",
            "inspect",
            {"run_id.$": RUN_ID, "tries.$": "$.tries", "blocked.$": "$.blocked", "execution.$": "$$.Execution.Name"},
            caught=_Caught(failed),
            result_path="$.inspect",
        )
        given_up = {"Error": "Incomplete", "Cause.$": "States.JsonToString($.inspect)"}
        action = "$.inspect.action"
        choice = sfn.Choice(self, "WhatIsLeft")
        choice.when(sfn.Condition.string_equals(action, "work_array"), self._work("Array", inspect, failed))
        choice.when(sfn.Condition.string_equals(action, "work_single"), self._work("Single", inspect, failed))
        choice.when(sfn.Condition.string_equals(action, "verify"), self._finish(failed))
        choice.otherwise(self._pass("GiveUp", given_up, result_path=ERROR).next(failed))
        return plan.next(inspect).next(choice)

    def _work(self, kind: str, inspect: sfn.IChainable, failed: sfn.IChainable) -> sfn.IChainable:
        """One round: the job, and beside it the guard, which ends when the job has ended."""
        selector = {"guard.$": "States.ArrayGetItem($, 1)"}
        work = sfn.Parallel(self, f"Work{kind}", result_selector=selector, result_path="$.work")
        work.branch(self._job(kind)).branch(self._guard(kind))
        # A branch fails for good reasons only: what passes was tried again inside.
        work.add_catch(failed, errors=["States.ALL"], result_path=ERROR)
        spent = {"Error": "OverBudget", "Cause.$": "States.JsonToString($.work.guard)"}
        over = self._pass(f"OverBudget{kind}", spent, result_path=ERROR).next(failed)
        state = {"run.$": "$.run", "tries.$": "$.inspect.tries", "blocked.$": "$.work.guard.blocked"}
        again = self._pass(f"NextRound{kind}", state).next(inspect)
        watched = sfn.Choice(self, f"Watched{kind}")
        watched.when(sfn.Condition.string_equals("$.work.guard.action", "over_budget"), over).otherwise(again)
        return work.next(watched)

    def _job(self, kind: str) -> sfn.IChainable:
        array = {"ArrayProperties": {"Size.$": "$.inspect.array_size"}} if kind == "Array" else {}
        refused = sfn.Fail(self, f"NotSubmitted{kind}", error_path=f"{CAUGHT}.Error", cause_path=f"{CAUGHT}.Cause")
        # One bad child fails the parent; what counts are the commit records.
        ended = self._pass(f"JobEnded{kind}", {"ended.$": f"{CAUGHT}.Error"})
        return self._custom(
            f"Job{kind}",
            {
                "Type": "Task",
                "Resource": f"arn:{Aws.PARTITION}:states:::batch:submitJob.sync",
                "Parameters": {
                    "JobName.$": "$.inspect.job_name",
                    "JobQueue.$": "$.inspect.queue",
                    "JobDefinition.$": "$.run.job_definition",
                    **array,
                    "ContainerOverrides": {
                        "Environment": [
                            {"Name": "CASEMILL_OUTPUT", "Value.$": "$.run.output"},
                            {"Name": "CASEMILL_RUN", "Value.$": RUN_ID},
                            {"Name": "CASEMILL_ROUND", "Value.$": "States.Format('{}', $.inspect.round)"},
                        ]
                    },
                    "Tags": {"casemill:run.$": RUN_ID},
                },
                "ResultSelector": {"ended.$": "$.Status"},
            },
            BATCH_TRANSIENT,
            (_Caught(refused, NOT_SUBMITTED, CAUGHT), _Caught(ended, result_path=CAUGHT)),
        )

    def _guard(self, kind: str) -> sfn.IChainable:
        begin = self._pass(f"Watch{kind}", {"unseen": 0, "busy": 0}, result_path="$.guard")
        pause = sfn.WaitTime.duration(Duration.seconds(self._props.settings.guard_seconds))
        wait = sfn.Wait(self, f"Wait{kind}", time=pause)
        broken = sfn.Fail(self, f"GuardFailed{kind}", error_path=f"{CAUGHT}.Error", cause_path=f"{CAUGHT}.Cause")
        guard = self._task(
            f"Guard{kind}",
            "guard",
            {
                "run_id.$": RUN_ID,
                "job_name.$": "$.inspect.job_name",
                "queue.$": "$.inspect.queue",
                "round.$": "$.inspect.round",
                "capacity.$": "$.inspect.capacity",
                "budget_usd.$": BUDGET,
                "unseen.$": "$.guard.unseen",
                "busy.$": "$.guard.busy",
            },
            # A run that nobody watches may cost anything: it stops, and what is committed stays.
            caught=_Caught(broken, result_path=CAUGHT),
            result_path="$.guard",
        )
        seen = sfn.Pass(self, f"Seen{kind}", input_path="$.guard")
        choice = sfn.Choice(self, f"GoesOn{kind}")
        choice.when(sfn.Condition.string_equals("$.guard.action", "wait"), wait).otherwise(seen)
        return begin.next(wait).next(guard).next(choice)

    def _finish(self, failed: sfn.IChainable) -> sfn.IChainable:
        groups = sfn.Map(
            self,
            "VerifyGroups",
            items_path="$.inspect.groups",
            item_selector={"run_id.$": RUN_ID, "group.$": "$$.Map.Item.Value"},
            max_concurrency=MOST_GROUPS_AT_ONCE,
            result_path=sfn.JsonPath.DISCARD,
        )
        broken = sfn.Fail(self, "GroupFailed", error_path=f"{CAUGHT}.Error", cause_path=f"{CAUGHT}.Cause")
        group = {"run_id.$": "$.run_id", "group.$": "$.group"}
        groups.item_processor(self._task("Verify", "verify", group, caught=_Caught(broken, result_path=CAUGHT)))
        groups.add_catch(failed, errors=["States.ALL"], result_path=ERROR)
        publish = self._task(
            "Publish",
            "publish",
            {"execution.$": "$$.Execution.Name", "submission.$": "$$.Execution.Input"},
            caught=_Caught(failed),
            result_path="$.published",
        )
        untold = sfn.Fail(
            self, "NotTold", error="NotTold", cause="The run has ended, but the notification could not be sent."
        )
        notify = self._task(
            "Notify",
            "notify",
            {
                "execution.$": "$$.Execution.Name",
                "submission.$": "$$.Execution.Input",
                "published.$": "$.published",
            },
            caught=_Caught(untold),
        )
        verified = sfn.Choice(self, "IsVerified")
        unverified = sfn.Fail(
            self, "NotVerified", error="NotVerified", cause="Checks failed; see the report of the run."
        )
        verified.when(sfn.Condition.boolean_equals("$.published.verified", True), sfn.Succeed(self, "Verified"))
        verified.otherwise(unverified)
        return groups.next(publish).next(notify).next(verified)

    def _failure(self) -> sfn.IChainable:
        """From ``$.error`` to a report, a notification and a failed execution; none waits for the other's success."""
        end = sfn.Fail(self, "RunFailed", error="RunFailed", cause="See the report of the run, and the mail.")
        about = {
            "execution.$": "$$.Execution.Name",
            "submission.$": "$$.Execution.Input",
            "failure.$": ERROR,
        }
        told = {**about, "published.$": "$.published"}
        notify = self._task("NotifyFailure", "notify", told, caught=_Caught(end, result_path=CAUGHT))
        # Without the report's answer, which is not there; a null for it would be lost on the way through the CDK.
        unreported = self._task("NotifyUnreported", "notify", about, caught=_Caught(end, result_path=CAUGHT))
        unreported.next(end)
        report = self._task(
            "ReportFailure",
            "publish",
            about,
            caught=_Caught(unreported, result_path=CAUGHT),
            result_path="$.published",
        )
        return report.next(notify).next(end)

    def _task(
        self, name: str, function: str, payload: Mapping[str, Any], *, caught: _Caught, result_path: str | None = None
    ) -> sfn.CustomState:
        """A call of a function; without ``result_path`` nobody asks for its answer, and the state goes on beside it."""
        return self._custom(
            name,
            {
                "Type": "Task",
                "Resource": self.functions[function].version.function_arn,
                "Parameters": dict(payload),
                # Null, which drops an answer, is lost on the way through the CDK; the answer would become the state.
                "ResultPath": result_path or UNASKED,
            },
            TRANSIENT,
            (caught,),
        )

    def _custom(
        self, name: str, state: Mapping[str, Any], errors: Sequence[str], catches: Sequence[_Caught]
    ) -> sfn.CustomState:
        task = sfn.CustomState(self, name, state_json=dict(state))
        task.add_retry(
            errors=list(errors),
            interval=Duration.seconds(self._props.settings.retry_seconds),
            max_attempts=6,
            backoff_rate=2,
            max_delay=Duration.seconds(60),
            jitter_strategy=sfn.JitterType.FULL,
        )
        for caught in catches:
            task.add_catch(caught.handler, errors=list(caught.errors), result_path=caught.result_path)
        return task

    def _pass(self, name: str, parameters: Mapping[str, Any], *, result_path: str | None = None) -> sfn.Pass:
        return sfn.Pass(self, name, parameters=dict(parameters), result_path=result_path)

    def _role(self) -> iam.Role:
        """Calls its functions in any version, because an execution that is under way keeps those that it began with."""
        compute = self._props.compute
        role = iam.Role(self, "Role", assumed_by=from_this_account("states.amazonaws.com"))
        functions = [f"{function.function.function_arn}:*" for function in self.functions.values()]
        queues = [compute.spot_queue.job_queue_arn, compute.on_demand_queue.job_queue_arn]
        definitions = self._definitions()
        rule = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/{BATCH_RULE}"
        grants: dict[str, tuple[list[str], list[str]]] = {
            "CallFunctions": (["lambda:InvokeFunction"], functions),
            "SubmitJobs": (["batch:SubmitJob"], [*queues, definitions, f"{definitions}:*"]),
            "NameJobs": (["batch:TagResource"], [any_job(), f"{definitions}:*"]),
            "SeeJobs": (["batch:DescribeJobs"], ["*"]),
            "EndJobs": (["batch:TerminateJob"], [any_job()]),
            "HearOfJobs": (["events:PutTargets", "events:PutRule", "events:DescribeRule"], [rule]),
        }
        for sid, (actions, resources) in grants.items():
            role.add_to_policy(iam.PolicyStatement(sid=sid, actions=actions, resources=resources))
        return role

    def _tell_of_other_ends(self) -> events.Rule:
        """Executions that were stopped, ran out of time or broke leave no state to tell of it."""
        rule = events.Rule(
            self,
            "Ended",
            description="An execution of Casemill's workflow ended without success",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [self.state_machine.state_machine_arn],
                    "status": ["ABORTED", "TIMED_OUT", "FAILED"],
                },
            ),
        )
        dead_letters = self._props.monitoring.dead_letter_queue
        notify = self.functions["notify"].version
        rule.add_target(
            targets.LambdaFunction(
                notify, dead_letter_queue=dead_letters, max_event_age=Duration.hours(6), retry_attempts=20
            )
        )
        return rule

    def _definitions(self) -> str:
        """The worker's job definition without its revision."""
        name = self._props.compute.job_definition_name
        return f"arn:{Aws.PARTITION}:batch:{Aws.REGION}:{Aws.ACCOUNT_ID}:job-definition/{name}"

    def _accept(self) -> None:
        definitions = self._definitions()
        accept(self.role, INLINE_POLICY)
        versions = "an execution that is under way keeps the versions that it began with"
        accept_wildcards(
            self.role,
            {
                **{f"{function.function.function_arn}:*": versions for function in self.functions.values()},
                f"{definitions}:*": "a run keeps the revision that it began with",
                any_job(): "Batch makes up the ids of jobs when they are submitted",
                "*": "; ".join(WITHOUT_RESOURCE[action] for action in ON_EVERYTHING),
            },
        )
