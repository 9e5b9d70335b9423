"""Prices and time figures in round numbers, made up for tests, and attempts to be priced with them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from core.cost.occupied import OccupiedTime
from core.cost.prices import PriceBook
from core.cost.time_model import Bounds, Coefficients, PerByte, TimeModels
from core.run.models import PlannedShard

MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)
START = MIDNIGHT.timestamp()
SOURCE = {"source": "made up", "retrieved": "2026-01-01T00:00:00Z"}


def at(hours: float) -> datetime:
    """A moment so many hours after the examples begin."""
    return MIDNIGHT + timedelta(hours=hours)


def book(**changes: Any) -> PriceBook:
    """``big`` has two processors. Spot in us-east-1a: 0.036 dollars an hour until 1 o'clock, then 0.072, known until 5.

    0.036 dollars an hour are 10 millionths of a dollar a second for both processors, 5 for one of them.
    """
    content: dict[str, Any] = {
        "processors": {"big": 2},
        "spot": [
            {
                "instance_type": "big",
                "zone": "us-east-1a",
                # Newest first, as AWS answers.
                "points": [
                    {"since": at(1).isoformat(), "usd_per_hour": "0.072"},
                    {"since": at(0).isoformat(), "usd_per_hour": "0.036"},
                ],
                "known_until": at(5).isoformat(),
                "source": "made up",
            }
        ],
        "on_demand": [{"instance_type": "big", "region": "us-east-1", "usd_per_hour": "0.09", **SOURCE}],
        "storage": [
            {
                "region": "us-east-1",
                "gp3_gib_month": "0.08",
                "s3_gib_month": "0.02",
                "s3_thousand_puts": "0.005",
                "s3_thousand_gets": "0.0004",
                **SOURCE,
            }
        ],
        **changes,
    }
    return PriceBook.model_validate(content)


def worked(first: float, seconds: float, why: str = "finished", **changes: Any) -> OccupiedTime:
    """An attempt on one of ``big``'s two processors, from ``first`` seconds after midnight, for so many seconds."""
    content: dict[str, Any] = {
        "partition": 0,
        "attempt": 1,
        "started": START + first,
        "ended": START + first + seconds,
        "why": why,
        "instance_type": "big",
        "zone": "us-east-1a",
        "capacity": "spot",
        "processors": 1,
        "host_processors": 2,
        **changes,
    }
    return OccupiedTime(**content)


KNOWN = Coefficients(
    start_seconds=3.0, case_seconds=0.01, byte_seconds=PerByte(low=1e-8, likely=2e-8, high=4e-8), record_seconds=5e-4,
    check_record_seconds=1e-4, runs=Bounds(low=0.8, high=1.25), machine='a "quoted" one, µ', date="2026-01-01",
    command="casemill fit", measured_runs=1, measured_cases=40,
)  # fmt: skip
MODELS = TimeModels(other_machine=Bounds(low=0.5, high=2.0), workloads={"vitaldb": KNOWN})


def shard(number: int, cases: int = 2, size: int = 50_000_000, windows: int = 1960) -> PlannedShard:
    """A shard of two seconds by these figures."""
    return PlannedShard(
        shard=f"train-{number:05d}", split="train", partition=number, cases=cases, estimated_records=windows, bytes=size
    )
