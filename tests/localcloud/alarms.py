"""Alarms that are evaluated, and mails that can be read: what moto stores and never looks at.

Only alarms on one metric are evaluated (threshold, periods, M of N, what missing data means); metric maths is not.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Mail:
    """What a subscriber gets."""

    subject: str
    text: str


def metrics_in_log(text: str) -> Iterable[dict[str, Any]]:
    """The metric data of embedded metric format lines, as PutMetricData takes them, with their namespace.

    >>> line = '{"_aws": {"CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [["s"]], "Metrics": [{"Name": "m"}]}]}'
    >>> list(metrics_in_log(line + ', "s": "a", "m": 2}'))
    [{'Namespace': 'N', 'MetricName': 'm', 'Dimensions': [{'Name': 's', 'Value': 'a'}], 'Value': 2.0}]
    """
    for line in text.splitlines():
        if '"_aws"' not in line:
            continue
        try:
            document = json.loads(line[line.index("{") :])
        except ValueError:
            continue
        for group in document["_aws"]["CloudWatchMetrics"]:
            for names in group["Dimensions"]:
                dimensions = [{"Name": name, "Value": str(document[name])} for name in names]
                for metric in group["Metrics"]:
                    values = document[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        yield {
                            "Namespace": group["Namespace"],
                            "MetricName": metric["Name"],
                            "Dimensions": dimensions,
                            "Value": float(value),
                        }


def put_metrics(client: Any, text: str) -> None:
    """Store what a log holds."""
    for found in metrics_in_log(text):
        client.put_metric_data(
            Namespace=found["Namespace"],
            MetricData=[{key: value for key, value in found.items() if key != "Namespace"}],
        )


def evaluate_alarms(cloudwatch: Any, sns: Any, now: datetime | None = None) -> list[str]:
    """Evaluate every alarm once; those that changed to ALARM publish to their topics. Gives the names of these."""
    raised = []
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        state = _state(cloudwatch, alarm, now or datetime.now(timezone.utc))
        if state is None or state == alarm["StateValue"]:
            continue
        cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue=state, StateReason="evaluated locally")
        if state == "ALARM":
            raised.append(alarm["AlarmName"])
            for topic in alarm.get("AlarmActions", []):
                text = f"{alarm.get('AlarmDescription', '')}\n\n{alarm['AlarmName']} entered the ALARM state."
                sns.publish(TopicArn=topic, Subject=f'ALARM: "{alarm["AlarmName"]}"'[:100], Message=text)
    return sorted(raised)


def _state(cloudwatch: Any, alarm: dict[str, Any], now: datetime) -> str | None:
    if "MetricName" not in alarm:
        return None
    period, periods = alarm["Period"], alarm["EvaluationPeriods"]
    # The period in hand counts too: a test does not wait for its end.
    end = now + timedelta(seconds=1)
    statistic = alarm.get("Statistic", "Sum")
    points = cloudwatch.get_metric_statistics(
        Namespace=alarm["Namespace"],
        MetricName=alarm["MetricName"],
        Dimensions=alarm.get("Dimensions", []),
        StartTime=end - timedelta(seconds=period * periods),
        EndTime=end,
        Period=period,
        Statistics=[statistic],
    )["Datapoints"]
    missing = periods - len(points)
    breaching = sum(COMPARISONS[alarm["ComparisonOperator"]](point[statistic], alarm["Threshold"]) for point in points)
    breaching += missing if alarm.get("TreatMissingData") == "breaching" else 0
    return "ALARM" if breaching >= alarm.get("DatapointsToAlarm", periods) else "OK"


class Mailbox:
    """Everything that a topic sends, read through a queue of its own; ``mails`` are those that came so far."""

    def __init__(self, sns: Any, sqs: Any, topic: str) -> None:
        self._sqs = sqs
        self.mails: list[Mail] = []
        self._url = sqs.create_queue(QueueName=f"mailbox-{topic.rpartition(':')[2]}"[:80])["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=found["Attributes"]["QueueArn"])

    def about(self, execution: str) -> list[Mail]:
        """The mails at the end of an execution of this name: one is right."""
        line = re.compile(rf"^execution +{re.escape(execution)}$", re.MULTILINE)
        return [mail for mail in self._all() if line.search(mail.text)]

    def alarm(self, name: str) -> Mail | None:
        """The last mail of the alarm whose name ends so."""
        found = [mail for mail in self._all() if mail.subject.endswith(f'-{name}"') and "ALARM" in mail.subject]
        return found[-1] if found else None

    def read(self) -> list[Mail]:
        """What has come since the last look of anybody."""
        seen = len(self.mails)
        return self._all()[seen:]

    def _all(self) -> list[Mail]:
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                body = json.loads(message["Body"])
                self.mails.append(Mail(body.get("Subject", ""), body["Message"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self.mails
