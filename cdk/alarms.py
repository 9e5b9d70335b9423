"""The alarms: one for each way in which a run needs a person, told by mail.

Each looks at one metric of the stage, whatever the workload, and its description is the mail: what happened, what it
means, what to do, where to read on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambdas
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.functions import NAMESPACE

RUNBOOK = "docs/aws/alarms.md"
PERIOD = Duration.minutes(5)
PERIODS = 3
"""One bad period of these raises an alarm: a figure that is written late still counts."""

AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD

NOTIFY, DEAD_LETTERS = "the notify function", "the queue of dead letters"


@dataclass(frozen=True)
class AlarmSpec:
    """``metric`` of ``source`` (the stage's own figures, or one of AWS's resources) past ``threshold``; three texts."""

    name: str
    metric: str
    statistic: str
    threshold: float
    happened: str
    means: str
    to_do: str
    comparison: cloudwatch.ComparisonOperator = AT_LEAST
    source: str = ""

    @property
    def condition(self) -> str:
        """When it is raised, for people."""
        sign = "below" if self.comparison is BELOW else "at least"
        return f"{self.statistic.lower()} of `{self.metric}` {sign} {self.threshold:g}"


ALARMS = (
    AlarmSpec(
        "run-failed", "RunsFailed", "Sum", 1,
        happened="A run ended without a verified data set.",
        means="Its mail names the run and says how it ended. What is committed stays; no data set was declared good.",
        to_do="Read the run's report (its address is in the mail), mend the cause, and submit the same run again: "
        "only what is missing is done.",
    ),
    AlarmSpec(
        "verification-failed", "VerificationsFailed", "Sum", 1,
        happened="A run's data set did not pass its verification.",
        means="What is stored is not what was promised. The data set has no _SUCCESS and must not be used.",
        to_do="Read the failed checks in the run's report. If an object was damaged or replaced, remove it and the "
        "commit record of its shard, and submit the run again.",
    ),
    AlarmSpec(
        "success-rate", "SuccessRate", "Minimum", 95, comparison=BELOW,
        happened="Fewer than 95 % of a run's cases were usable.",
        means="The others stand in quarantine with a reason each. The data set may be verified, and is smaller than "
        "was asked for.",
        to_do="Look at the reasons (casemill quarantine, or quarantine.jsonl of the run). Many cases with the same "
        "reason point at the source or at a setting of the workload.",
    ),
    AlarmSpec(
        "over-budget", "BudgetAtRisk", "Maximum", 1,
        happened="The guard stopped a run because it would have cost more than its budget, or no price is known and "
        "nothing will stop the run.",
        means="Stopped: what is committed stays, and no data set was published. Otherwise it works on.",
        to_do="Stopped: look at what it cost (casemill cost): many lost seconds mean reclaimed machines. Submit the "
        "same run with a higher budget; only what is missing is done. Otherwise: look into the guard's log why it gets "
        "no prices, and stop the run if it may not go on (casemill stop).",
    ),
    AlarmSpec(
        "reclaims", "ReclaimsLastHour", "Maximum", 3,
        happened="AWS took back at least 3 spot machines from a run within an hour.",
        means="The run goes on and loses at most the work since the last saved segments; it becomes slower and dearer.",
        to_do="Nothing, if it stays at a few. If it goes on for hours, add instance families or zones "
        "(casemill:instance_families, casemill:availability_zones).",
    ),
    AlarmSpec(
        "no-progress", "NoProgress", "Maximum", 1,
        happened="For 30 minutes no case of a run was finished, although machines work and are paid for.",
        means="The workers hang, or one case takes very long.",
        to_do="Look at the workers' log (casemill logs) and at PROGRESS.txt of the run. If nothing moves, stop the run "
        "(casemill stop) and submit it again.",
    ),
    AlarmSpec(
        "queue-blocked", "QueueBlocked", "Maximum", 1,
        happened="A run's jobs wait and find no machine.",
        means="Spot capacity is short, or the settings ask for what cannot be had. After a while the run moves to "
        "on-demand capacity by itself.",
        to_do="Nothing on spot capacity. If it happens on on-demand capacity too, look at the account's limits for "
        "vCPUs, at the subnets and at the instance families.",
    ),
    AlarmSpec(
        "not-told", "ApproximateNumberOfMessagesVisible", "Maximum", 1, source=DEAD_LETTERS,
        happened="Messages lie in the queue of dead letters.",
        means="The end of a run could not be told by mail, or a quarantined case was received more often than its "
        "queue allows and removed by nobody.",
        to_do="Read the messages. For the end of a run, see its report and the log of the notify function.",
    ),
    AlarmSpec(
        "notify-errors", "Errors", "Sum", 1, source=NOTIFY,
        happened="The function that sends the mails of runs failed.",
        means="It is tried again, so the mail may still come. If it does not, a run ended and nobody was told.",
        to_do="Look at the function's log for the code of the error, and at the last executions of the state machine.",
    ),
    AlarmSpec(
        "notify-throttles", "Throttles", "Sum", 1, source=NOTIFY,
        happened="The function that sends the mails of runs was not allowed to start.",
        means="The account runs as many functions at once as it may. The call is tried again, and the mail comes late.",
        to_do="See what else runs in the account, or ask AWS for a higher limit of concurrent executions of Lambda.",
    ),
)  # fmt: skip
"""No more than ten: so many are free."""


def stage_name(stage: str) -> str:
    """What the names of this stage's alarms, metrics' graphs and its dashboard begin with."""
    return f"casemill-{stage}"


def stage_metric(stage: str, name: str, statistic: str) -> cloudwatch.Metric:
    """A figure of the functions (``handlers/observability.py``), over every workload of the stage."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"stage": stage},
        statistic=statistic,
        period=PERIOD,
    )


class Alarms(Construct):
    """``alarms`` by the name in their specification; each sends to the topic."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: str,
        topic: sns.Topic,
        notify: lambdas.IFunction,
        dead_letters: sqs.IQueue,
        dashboard_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._dashboard_url = stage, dashboard_url
        self._action = actions.SnsAction(topic)
        self._let_in(topic)
        self.alarms: Mapping[str, cloudwatch.Alarm] = {
            spec.name: self._alarm(spec, _metric(spec, stage, notify, dead_letters)) for spec in ALARMS
        }

    def _let_in(self, topic: sns.Topic) -> None:
        """A topic with a policy of its own is closed to alarms unless that says otherwise."""
        pattern = f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:{stage_name(self._stage)}-*"
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": topic.stack.account},
                    "ArnLike": {"aws:SourceArn": pattern},
                },
            )
        )

    def _alarm(self, spec: AlarmSpec, metric: cloudwatch.IMetric) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.capitalize() for part in spec.name.split("-")),
            alarm_name=f"{stage_name(self._stage)}-{spec.name}",
            alarm_description=self._description(spec),
            metric=metric,
            threshold=spec.threshold,
            comparison_operator=spec.comparison,
            evaluation_periods=PERIODS,
            datapoints_to_alarm=1,
            # Between runs there are no figures.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
        return alarm

    def _description(self, spec: AlarmSpec) -> str:
        return (
            f"What happened: {spec.happened}\nWhat it means: {spec.means}\nWhat to do: {spec.to_do}\n"
            f"Read on: {RUNBOOK}#{spec.name} and {self._dashboard_url}"
        )


def _metric(spec: AlarmSpec, stage: str, notify: lambdas.IFunction, dead_letters: sqs.IQueue) -> cloudwatch.IMetric:
    match spec.source:
        case "":
            return stage_metric(stage, spec.metric, spec.statistic)
        case source if source == NOTIFY:
            return notify.metric(spec.metric, statistic=spec.statistic, period=PERIOD)
        case source if source == DEAD_LETTERS:
            return dead_letters.metric(spec.metric, statistic=spec.statistic, period=PERIOD)
    raise ValueError(spec.source)
