"""Mails through SNS, quarantined cases through SQS."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from core.errors import TransientError
from core.run.notices import Mail
from core.run.quarantine import QuarantineMessage
from handlers.aws.clients import asking, client

SENT_AT_ONCE = 10
"""Messages that SendMessageBatch takes (SQS API)."""


def send_mail(topic: str, mail: Mail) -> None:
    """Tell everybody who subscribed."""
    with asking("Publish"):
        client("sns").publish(TopicArn=topic, Subject=mail.subject, Message=mail.body)


def set_aside(queue: str, messages: Iterable[QuarantineMessage]) -> int:
    """Send one message a case; gives their number.

    Raises
    ------
    TransientError
        ``aws_busy``: some were not taken; all may be sent again.
    """
    rest, sent = iter(messages), 0
    while batch := list(islice(rest, SENT_AT_ONCE)):
        entries = [{"Id": str(number), "MessageBody": message.to_line()} for number, message in enumerate(batch)]
        with asking("SendMessageBatch"):
            answer = client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
        if answer.get("Failed"):
            raise TransientError("aws_busy", f"SendMessageBatch: {len(answer['Failed'])} messages were not taken")
        sent += len(batch)
    return sent
