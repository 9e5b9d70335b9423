"""``cloud.json``: what a run in the cloud holds on to, whatever is deployed while it works."""

from __future__ import annotations

from pydantic import Field, ValidationError

from core.errors import IntegrityError
from core.run.layout import RunLayout
from core.run.models import Document
from core.store import Store
from core.wrong_values import why_unreadable


class CloudPins(Document):
    """The job definition's ARN with its revision, the image, the deployed code, and the execution that planned."""

    run_id: str
    stage: str
    job_definition: str = Field(pattern=r":[0-9]+$")
    image: str
    code_version: str
    planned_by: str


def pin(store: Store, pins: CloudPins) -> CloudPins:
    """Write the pins where there are none; returns those that hold, which may be an earlier execution's.

    Raises
    ------
    IntegrityError
        ``pins_damaged``: they are there and cannot be read.
    """
    if store.put_if_absent(RunLayout(pins.run_id).pins, pins.to_bytes()):
        return pins
    found = read_pins(store, pins.run_id)
    return found or pins


def read_pins(store: Store, run_id: str) -> CloudPins | None:
    """The run's pins, or None where it has none; errors as :func:`pin`."""
    key = RunLayout(run_id).pins
    try:
        return CloudPins.model_validate_json(store.get(key))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise IntegrityError("pins_damaged", why_unreadable(error), where=key, fix="Start the run afresh.") from error
