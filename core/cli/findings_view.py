"""Findings of an examination for eyes and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.cli.output import out

if TYPE_CHECKING:
    from core.doctor.findings import Finding

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def findings_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for programs."""
    from core.doctor.findings import healthy

    return {"healthy": healthy(findings), "findings": [asdict(item) for item in findings]}


def show_findings(findings: Sequence[Finding]) -> None:
    """A line for each, with what to do below it, and the verdict."""
    from rich.text import Text

    from core.doctor.findings import verdict

    width = max((len(item.looked_at) for item in findings), default=0)
    for item in findings:
        out.print(
            Text.assemble(
                (f"{item.state.value:<8}", STYLES[item.state.value]), f"{item.looked_at:<{width}}  {item.found}"
            )
        )
        if item.fix:
            out.print(f"{'':<{8 + width + 2}}{item.fix}")
    out.print(verdict(findings))
