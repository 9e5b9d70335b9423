"""Looking at the queue of quarantined cases without losing any.

SQS has no way to look but to receive. A received message is hidden for ``seconds`` and comes back by itself, also when
this process is killed; it is gone only once it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from core.errors import TransientError
from core.run.quarantine import QuarantineMessage
from handlers.aws.clients import client
from handlers.command_line.account import asking

AT_ONCE = 10
"""Messages that one call of SQS takes or gives (SQS API)."""

WAIT_SECONDS = 1
"""A call that waits asks every server of the queue; one that does not misses messages."""

EMPTY_ANSWERS = 2
"""This many in a row, and the queue is taken for read to its end."""


@dataclass(frozen=True)
class HeldMessage:
    """A message that is hidden from others; ``content`` None: it is none of Casemill's, and is left alone."""

    message_id: str
    handle: str
    content: QuarantineMessage | None


@contextmanager
def held(queue: str, seconds: int) -> Iterator[list[HeldMessage]]:
    """Every message of the queue; at the end those that are still in the list are given back."""
    messages: list[HeldMessage] = []
    try:
        messages += _receive(queue, seconds)
        yield messages
    finally:
        give_back(queue, messages)


def give_back(queue: str, messages: Sequence[HeldMessage]) -> None:
    """Show the messages to others again, at once; one that is shown already stays so."""
    for batch in _batches(messages):
        entries = [
            {"Id": str(number), "ReceiptHandle": message.handle, "VisibilityTimeout": 0}
            for number, message in enumerate(batch)
        ]
        with asking("ChangeMessageVisibility", queue):
            client("sqs").change_message_visibility_batch(QueueUrl=queue, Entries=entries)


def delete(queue: str, messages: Sequence[HeldMessage]) -> None:
    """Remove the messages for good.

    Raises
    ------
    TransientError
        ``aws_busy``: some are still there.
    """
    refused = 0
    for batch in _batches(messages):
        entries = [{"Id": str(number), "ReceiptHandle": message.handle} for number, message in enumerate(batch)]
        with asking("DeleteMessage", queue):
            refused += len(client("sqs").delete_message_batch(QueueUrl=queue, Entries=entries).get("Failed", ()))
    if refused:
        raise TransientError(
            "aws_busy", f"{refused} messages could not be deleted", where=queue,
            fix="They come back to the queue; run the same command again: nothing is started twice.",
        )  # fmt: skip


def _receive(queue: str, seconds: int) -> Iterator[HeldMessage]:
    seen: dict[str, HeldMessage] = {}
    empty = 0
    while empty < EMPTY_ANSWERS:
        with asking("ReceiveMessage", queue):
            answer = client("sqs").receive_message(
                QueueUrl=queue, MaxNumberOfMessages=AT_ONCE, VisibilityTimeout=seconds, WaitTimeSeconds=WAIT_SECONDS
            )
        new = [_held(message) for message in answer.get("Messages", ()) if message["MessageId"] not in seen]
        seen.update((message.message_id, message) for message in new)
        # Nothing but what was seen means that the first ones are coming round again.
        empty = 0 if new else empty + 1
    return iter(seen.values())


def _held(message: dict[str, Any]) -> HeldMessage:
    try:
        content = QuarantineMessage.model_validate_json(message["Body"])
    except ValidationError:
        content = None
    return HeldMessage(message["MessageId"], message["ReceiptHandle"], content)


def _batches(messages: Sequence[HeldMessage]) -> Iterator[Sequence[HeldMessage]]:
    return (messages[first : first + AT_ONCE] for first in range(0, len(messages), AT_ONCE))
