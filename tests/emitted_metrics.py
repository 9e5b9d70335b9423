"""The figures that the functions write: their names in the code, and the lines of the log that troubles leave."""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from handlers.environment import environment
from handlers.observability import Unit, put_metrics

STAGE = "production"
WORKLOAD = "vitaldb"

VARIABLES = {
    "CASEMILL_OUTPUT": "s3://bucket/casemill",
    "CASEMILL_STAGE": STAGE,
    "CASEMILL_SPOT_QUEUE": "spot",
    "CASEMILL_ON_DEMAND_QUEUE": "on-demand",
    "CASEMILL_JOB_DEFINITION": "worker:1",
    "CASEMILL_IMAGE": "image",
    "CASEMILL_TOPIC": "topic",
    "CASEMILL_QUARANTINE_QUEUE": "quarantine",
    "AWS_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "casemill-guard",
    "POWERTOOLS_METRICS_NAMESPACE": "Casemill",
}

QUIET = {"ReclaimsLastHour": 0.0, "NoProgress": 0.0, "QueueBlocked": 0.0, "BudgetAtRisk": 0.0}
GOOD = {"RunsSucceeded": 1.0, "RunsFailed": 0.0, "VerificationsFailed": 0.0, "SuccessRate": 100.0}
BAD = {**GOOD, "RunsSucceeded": 0.0, "RunsFailed": 1.0}

TROUBLES: tuple[tuple[str, dict[str, float], set[str]], ...] = (
    ("all is well", {**QUIET, **GOOD}, set()),
    ("two reclaims", {**QUIET, "ReclaimsLastHour": 2.0}, set()),
    ("three reclaims", {**QUIET, "ReclaimsLastHour": 3.0}, {"reclaims"}),
    ("no progress", {**QUIET, "NoProgress": 1.0}, {"no-progress"}),
    ("nobody comes", {**QUIET, "QueueBlocked": 1.0}, {"queue-blocked"}),
    ("over budget", {**QUIET, "BudgetAtRisk": 1.0}, {"over-budget"}),
    ("too few usable", {**BAD, "SuccessRate": 94.9}, {"run-failed", "success-rate"}),
    ("just enough usable", {**GOOD, "SuccessRate": 95.0}, set()),
    ("unverified", {**BAD, "VerificationsFailed": 1.0}, {"run-failed", "verification-failed"}),
    ("stopped", {"RunsFailed": 1.0}, {"run-failed"}),
)
"""What happened, what is written then, and the alarms that it must raise."""


def written(figures: dict[str, float], workload: str = WORKLOAD) -> str:
    """The lines that the functions write with these figures."""
    lines = io.StringIO()
    environment.cache_clear()
    try:
        with mock.patch.dict("os.environ", VARIABLES), contextlib.redirect_stdout(lines):
            put_metrics(workload, {name: (value, Unit.NoUnit) for name, value in figures.items()})
    finally:
        environment.cache_clear()
    return lines.getvalue()


def names_in_the_code(folder: Path = Path("handlers")) -> set[str]:
    """Names of figures: whatever is given a value with a unit in the functions' code."""
    return {name for path in folder.glob("*.py") for name in _figures(ast.parse(path.read_text(encoding="utf-8")))}


def _figures(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (_text(key) for key, value in zip(node.keys, node.values, strict=True) if _has_unit(value))
        elif isinstance(node, ast.Assign) and _has_unit(node.value) and isinstance(node.targets[0], ast.Subscript):
            yield _text(node.targets[0].slice)


def _has_unit(value: ast.expr) -> bool:
    """Whether it reads ``(…, Unit.Something)``."""
    match value:
        case ast.Tuple(elts=[_, ast.Attribute(value=ast.Name(id="Unit"))]):
            return True
    return False


def _text(key: ast.expr | None) -> str:
    assert isinstance(key, ast.Constant), ast.dump(key) if key else "**"
    assert isinstance(key.value, str)
    return key.value
