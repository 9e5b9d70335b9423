"""The stack: how its parts fit together."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Environment, Stack, Tags
from constructs import Construct

from cdk.alarms import Alarms
from cdk.compute import Compute
from cdk.dashboard import Dashboard, dashboard_url
from cdk.functions import BUILT_FUNCTIONS, common_environment
from cdk.keys import StackKey
from cdk.monitoring import STAGE_TAG, Monitoring
from cdk.network import Network
from cdk.outputs import write_outputs
from cdk.settings import Settings
from cdk.storage import Storage
from cdk.workflow import Workflow
from cdk.workflow_props import WorkflowProps


class CasemillStack(Stack):
    """Everything of one stage in one account and region."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, built_functions: Path = BUILT_FUNCTIONS
    ) -> None:
        env = Environment(account=settings.account, region=settings.region) if settings.region else None
        super().__init__(scope, construct_id, env=env, description=f"Casemill, {settings.stage}")
        self.key = StackKey(self, "Key", stage=settings.stage).key if settings.kms else None
        self.storage = Storage(self, "Storage", settings=settings, key=self.key)
        self.network = Network(self, "Network", settings=settings, key=self.key)
        self.compute = Compute(
            self, "Compute", settings=settings, network=self.network, storage=self.storage, key=self.key
        )
        queues = (self.compute.spot_queue, self.compute.on_demand_queue)
        self.monitoring = Monitoring(self, "Monitoring", settings=settings, queues=queues, key=self.key)
        self.workflow_props = self._workflow_props(settings, built_functions)
        self.workflow = Workflow(self, "Workflow", props=self.workflow_props)
        self.alarms = self._alarms(settings)
        self.dashboard = self._dashboard(settings)
        write_outputs(self, self._outputs(settings))
        for name, value in {"casemill": "true", STAGE_TAG: settings.stage, **settings.tags}.items():
            Tags.of(self).add(name, value)

    def _workflow_props(self, settings: Settings, built_functions: Path) -> WorkflowProps:
        return WorkflowProps(
            settings=settings,
            storage=self.storage,
            compute=self.compute,
            monitoring=self.monitoring,
            key=self.key,
            environment=common_environment(
                settings,
                output=self.storage.location,
                spot_queue=self.compute.spot_queue.job_queue_arn,
                on_demand_queue=self.compute.on_demand_queue.job_queue_arn,
                job_definition=self.compute.job_definition.job_definition_arn,
                image=self.compute.image.uri,
                job_log_group=self.compute.log_group.log_group_name,
                topic=self.monitoring.topic.topic_arn,
                quarantine_queue=self.monitoring.quarantine_queue.queue_url,
            ),
            built_functions=built_functions,
        )

    def _alarms(self, settings: Settings) -> Alarms:
        return Alarms(
            self,
            "Alarms",
            stage=settings.stage,
            topic=self.monitoring.topic,
            notify=self.workflow.functions["notify"].function,
            dead_letters=self.monitoring.dead_letter_queue,
            dashboard_url=dashboard_url(settings.stage),
        )

    def _dashboard(self, settings: Settings) -> Dashboard:
        queues = {"quarantine": self.monitoring.quarantine_queue, "dead letters": self.monitoring.dead_letter_queue}
        return Dashboard(
            self,
            # The output has the name Dashboard.
            "Overview",
            settings=settings,
            alarms=tuple(self.alarms.alarms.values()),
            state_machine=self.workflow.state_machine,
            functions={name: part.function for name, part in self.workflow.functions.items()},
            publish_log=self.workflow.functions["publish"].log_group,
            queues=queues,
        )

    def _outputs(self, settings: Settings) -> dict[str, str]:
        return {
            "Bucket": self.storage.bucket.bucket_name,
            "Output": self.storage.location,
            "StateMachine": self.workflow.state_machine.state_machine_arn,
            "SpotQueue": self.compute.spot_queue.job_queue_arn,
            "OnDemandQueue": self.compute.on_demand_queue.job_queue_arn,
            "JobDefinition": self.compute.job_definition.job_definition_arn,
            "JobLogGroup": self.compute.log_group.log_group_name,
            "Topic": self.monitoring.topic.topic_arn,
            "QuarantineQueue": self.monitoring.quarantine_queue.queue_url,
            "Stage": settings.stage,
            "Budget": f"{settings.budget_usd_per_run:g}",
            "Dashboard": dashboard_url(settings.stage),
        }
