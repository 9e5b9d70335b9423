"""The dashboard: whether all is well at a glance, then the run at work, money, functions and queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambdas
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.alarms import PERIOD, RUNBOOK, stage_metric, stage_name
from cdk.functions import NAMESPACE
from cdk.settings import Settings

WIDTH = 24
SHOWN = "-P7D"
PERCENT = cloudwatch.YAxisProps(min=0, max=100, label="%", show_units=False)
DOLLARS = cloudwatch.YAxisProps(min=0, label="USD", show_units=False)

ENDS = ("Started", "Succeeded", "Failed", "TimedOut", "Aborted")

TO_DO = f"""## What to do

- **An alarm is red**: its section in `{RUNBOOK}` says what to look at, with commands.
- **Last run verified is 0**: read its mail, or its `report.txt`; mend the cause and submit the same run again.
- **A run works**: `casemill watch`, `casemill logs`, `casemill cost`; `casemill stop` ends it, what is committed stays.
- **Cases in quarantine**: `casemill quarantine` shows them with their reasons.

Figures are of every workload of this stage; an empty graph means that nothing ran in the time shown.
"""


def dashboard_name(stage: str) -> str:
    """With the region, because dashboards of all regions share their names."""
    return f"{stage_name(stage)}-{Aws.REGION}"


def dashboard_url(stage: str) -> str:
    """Where people look at it."""
    console = f"https://{Aws.REGION}.console.aws.amazon.com/cloudwatch/home?region={Aws.REGION}"
    return f"{console}#dashboards/dashboard/{dashboard_name(stage)}"


class Dashboard(Construct):
    """``dashboard``: one for the stage."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        alarms: Sequence[cloudwatch.Alarm],
        state_machine: sfn.IStateMachine,
        functions: Mapping[str, lambdas.IFunction],
        publish_log: logs.ILogGroup,
        queues: Mapping[str, sqs.IQueue],
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._budget = settings.stage, settings.budget_usd_per_run
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=dashboard_name(settings.stage),
            start=SHOWN,
            period_override=cloudwatch.PeriodOverride.INHERIT,
            widgets=[
                [
                    cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=14, height=6),
                    cloudwatch.TextWidget(markdown=TO_DO, width=10, height=6),
                ],
                self._at_a_glance(),
                self._work(),
                self._money_and_time(),
                [self._executions(state_machine), _last_ends(publish_log)],
                [*_health(functions), self._queues(queues)],
            ],
        )

    def _at_a_glance(self) -> list[cloudwatch.IWidget]:
        return [
            self._last("Last run verified (1 yes, 0 no)", "RunsSucceeded", "Minimum"),
            self._last("Success rate of the last run, %", "SuccessRate", "Minimum"),
            self._last("Cost of the last run, USD", "CostUsd", "Maximum"),
            self._last("Machines reclaimed within an hour", "ReclaimsLastHour", "Maximum"),
        ]

    def _work(self) -> list[cloudwatch.IWidget]:
        return [
            self._graph("Progress, cases", [("CasesPlanned", "Maximum"), ("CasesFinished", "Maximum")]),
            cloudwatch.GraphWidget(
                title="Throughput, cases per second, by workload",
                left=[self._by_workload("CasesPerSecond", "Average")],
                left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
                width=WIDTH // 2,
            ),
        ]

    def _money_and_time(self) -> list[cloudwatch.IWidget]:
        budget = cloudwatch.HorizontalAnnotation(value=self._budget, label="usual budget of a run")
        return [
            cloudwatch.GraphWidget(
                title="Cost of the run at work: spent and projected, USD",
                left=[self._metric("SpentUsd", "Maximum"), self._metric("ProjectedUsd", "Maximum")],
                left_annotations=[budget],
                left_y_axis=DOLLARS,
                width=WIDTH // 2,
            ),
            cloudwatch.GraphWidget(
                title="Within the target time: share of runs, and of cases (mean over runs), %",
                left=[self._metric("RunsWithinTarget", "Average"), self._metric("CasesWithinTarget", "Average")],
                left_y_axis=PERCENT,
                period=Duration.days(1),
                width=WIDTH // 2,
            ),
        ]

    def _executions(self, state_machine: sfn.IStateMachine) -> cloudwatch.IWidget:
        ends = [
            state_machine.metric(f"Executions{end}", statistic="Sum", period=PERIOD, label=end.lower()) for end in ENDS
        ]
        return cloudwatch.GraphWidget(title="Executions", left=ends, width=WIDTH // 2)

    def _queues(self, queues: Mapping[str, sqs.IQueue]) -> cloudwatch.IWidget:
        waiting = [
            queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=PERIOD, label=name)
            for name, queue in queues.items()
        ]
        return cloudwatch.GraphWidget(
            title="Queues: messages that wait; jobs that find no machine (1)",
            left=waiting,
            right=[self._metric("QueueBlocked", "Maximum")],
            width=WIDTH // 3,
        )

    def _last(self, title: str, name: str, statistic: str) -> cloudwatch.IWidget:
        return cloudwatch.SingleValueWidget(
            title=title, metrics=[self._metric(name, statistic)], width=WIDTH // 4, height=4
        )

    def _graph(self, title: str, figures: Sequence[tuple[str, str]]) -> cloudwatch.IWidget:
        metrics = [self._metric(name, statistic) for name, statistic in figures]
        return cloudwatch.GraphWidget(title=title, left=metrics, width=WIDTH // 2)

    def _metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        return stage_metric(self._stage, name, statistic)

    def _by_workload(self, name: str, statistic: str) -> cloudwatch.MathExpression:
        seconds = PERIOD.to_seconds()
        query = f'{{{NAMESPACE},workload,stage}} MetricName="{name}" stage="{self._stage}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{query}', '{statistic}', {seconds})", label="", period=PERIOD, using_metrics={}
        )


def _last_ends(log: logs.ILogGroup) -> cloudwatch.IWidget:
    return cloudwatch.LogQueryWidget(
        title="The last runs that ended",
        log_group_names=[log.log_group_name],
        query_lines=[
            "fields @timestamp, run, ending, code",
            'filter message = "ended"',
            "sort @timestamp desc",
            "limit 10",
        ],
        width=WIDTH // 2,
    )


def _health(functions: Mapping[str, lambdas.IFunction]) -> list[cloudwatch.IWidget]:
    def of_each(metric: str, statistic: str) -> list[cloudwatch.IMetric]:
        return [
            function.metric(metric, statistic=statistic, period=PERIOD, label=name)
            for name, function in functions.items()
        ]

    return [
        cloudwatch.GraphWidget(title="Errors of functions", left=of_each("Errors", "Sum"), width=WIDTH // 3),
        cloudwatch.GraphWidget(
            title="Longest calls of functions, ms", left=of_each("Duration", "Maximum"), width=WIDTH // 3
        ),
    ]
