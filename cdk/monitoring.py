"""Who is told of what: the topic, the monthly budget, quarantined cases, and queues where nothing moves.

Alarms and the dashboard build on this; they send to ``topic``.
"""

from __future__ import annotations

from aws_cdk import Annotations, Duration, RemovalPolicy
from aws_cdk import aws_batch as batch
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.exceptions import accept
from cdk.settings import Settings

STAGE_TAG = "casemill:stage"
"""Tag of everything that costs money; the budget counts by it once it is activated as a cost allocation tag."""

KEPT = Duration.days(14)
RECEIVED_AT_MOST = 1000
"""The most that SQS takes. Looking at the queue is receiving, too, and nothing else takes messages from it: a lower
number would lose quarantined cases to those who only look (``casemill quarantine list``)."""

BUDGET_ALERTS = (("ACTUAL", 80.0), ("ACTUAL", 100.0), ("FORECASTED", 100.0))
"""Kind and percentage of the monthly budget."""


class Monitoring(Construct):
    """``topic``, ``quarantine_queue`` and ``dead_letter_queue``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        queues: tuple[batch.IJobQueue, ...],
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._key = settings, key
        self.topic = self._topic()
        self.dead_letter_queue = self._queue("DeadLetters", None)
        self.quarantine_queue = self._queue(
            "Quarantine", sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=RECEIVED_AT_MOST)
        )
        self._budget()
        self._blocked_queues(queues)

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Topic", display_name="Casemill", enforce_ssl=True, master_key=self._key)
        for address in self._settings.mail_addresses:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        if not self._settings.mail_addresses:
            Annotations.of(self).add_warning_v2(
                "casemill:mail_addresses", "Nobody is told of failed runs: casemill:mail_addresses is empty."
            )
        if self._key is None:
            accept(
                topic,
                {
                    "HIPAA.Security-SNSEncryptedKMS": "Messages hold ids and figures only, and travel by TLS. AWS's "
                    "own key for SNS would shut out alarms and budgets; a key of the stack's own is the setting "
                    "casemill:kms."
                },
            )
        return topic

    def _queue(self, name: str, dead_letters: sqs.DeadLetterQueue | None) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.KMS if self._key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=self._key,
            retention_period=KEPT,
            dead_letter_queue=dead_letters,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _budget(self) -> None:
        settings = self._settings
        budget = budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=settings.budget_usd_per_month, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:{STAGE_TAG}${settings.stage}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percentage,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self.topic.topic_arn)
                    ],
                )
                for kind, percentage in BUDGET_ALERTS
            ],
        )
        allowed = self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Budgets",
                principals=[iam.ServicePrincipal("budgets.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.topic.stack.account}},
            )
        )
        # Budgets tries the topic when the budget is made.
        if allowed.policy_dependable is not None:
            budget.node.add_dependency(allowed.policy_dependable)

    def _blocked_queues(self, queues: tuple[batch.IJobQueue, ...]) -> None:
        field = events.EventField.from_path
        text = (
            f"Casemill ({self._settings.stage}): a job waits at the head of its queue and does not start.\n"
            f"Job: {field('$.detail.jobName')} ({field('$.detail.jobId')})\nQueue: {field('$.detail.jobQueue')}\n"
            f"Reason: {field('$.detail.statusReason')}\n"
            f"If it lasts {self._settings.stuck_seconds // 60} minutes, or 15 more where Batch cannot say why, the job "
            "is given up and the run goes on with on-demand capacity. If that happens on on-demand capacity too, look "
            "at the account's limits for vCPUs, the subnets and the instance families."
        )
        events.Rule(
            self,
            "QueueBlocked",
            description="A job at the head of a queue of Casemill does not start",
            event_pattern=events.EventPattern(
                source=["aws.batch"],
                detail_type=["Batch Job Queue Blocked"],
                detail={"jobQueue": [queue.job_queue_arn for queue in queues]},
            ),
            targets=[targets.SnsTopic(self.topic, message=events.RuleTargetInput.from_multiline_text(text))],
        )
