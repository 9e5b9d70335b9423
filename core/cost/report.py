"""``cost.json``: what a run cost, what of it is unknown and why, and what is not in it."""

from __future__ import annotations

from typing import Literal

from core.cost.money import Dollars
from core.run.models import Document

NOT_INCLUDED = (
    "instances while they start, pull the image and wait for work or to be taken down (an estimate stands apart)",
    "attempts that ended before their worker's first heartbeat",
    "the least of 60 seconds that AWS bills for an instance",
    "Lambda, Step Functions, CloudWatch, SNS and the image's storage: cents",
    "data transfer out of the region, NAT gateways and interface endpoints, where there are any",
    "what AWS forgives: an instance that it takes back within its first hour is not charged, and discounts",
)
"""What no figure of the report holds."""


class Line(Document):
    """Some attempts together: ``usd`` pays for ``seconds`` less ``unknown_seconds``; None: none of them has a price."""

    attempts: int
    seconds: float
    usd: Dollars | None
    unknown_seconds: float
    cases: int


class UnknownCost(Document):
    """A part that has no price: what, why, and how long or how much of it there was."""

    what: Literal["compute", "scratch", "storage", "requests"]
    why: str
    seconds: float | None = None
    attempts: int | None = None


class EstimatedCost(Document):
    """A figure that was not observed; it is no part of the total. ``basis`` says what it rests on."""

    what: str
    usd: Dollars | None
    basis: str


class DearCase(Document):
    """What one case took, in the attempt that finished its shard."""

    case_id: str
    seconds: float
    usd: Dollars


class CostReport(Document):
    """``cost.json``. Dollars that are unknown are ``None`` and never zero.

    ``total_usd`` is the known part; ``complete`` says that nothing is unknown. ``by_end`` counts attempts by how they
    ended: ``useful`` ones finished; of those ``reclaimed`` or ``interrupted`` the finished cases were saved, so their
    seconds are the most that can have been lost. ``cases`` have an outcome; ``usd_per_case`` is the known total over
    them.
    """

    format: Literal["casemill-cost/1"] = "casemill-cost/1"
    run_id: str
    total_usd: Dollars | None
    complete: bool
    running: int
    compute_usd: Dollars | None
    scratch_usd: Dollars | None
    storage_usd: Dollars | None
    requests_usd: Dollars | None
    stored_days: int
    by_capacity: dict[str, Line]
    by_instance_type: dict[str, Line]
    by_end: dict[str, Line]
    unknown: tuple[UnknownCost, ...]
    cases: int
    usd_per_case: Dollars | None
    dearest_cases: tuple[DearCase, ...]
    estimates: tuple[EstimatedCost, ...]
    not_included: tuple[str, ...] = NOT_INCLUDED
    prices: tuple[str, ...]
