"""Every code that Casemill can show stands in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RAISED = re.compile(r"\b(?:\w+(?<!InterruptedRun)Error|_bad|say_error)\(\s*\"([a-z][a-z0-9_]+)\"")


def codes() -> set[str]:
    sources = [path for folder in ("core", "batch_image", "handlers") for path in sorted((ROOT / folder).rglob("*.py"))]
    return {code for path in sources for code in RAISED.findall(path.read_text(encoding="utf-8"))}


def documented() -> set[str]:
    text = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("errors.md", "output.md"))
    return set(re.findall(r"`([a-z][a-z0-9_]+)`", text))


def test_every_code_is_documented() -> None:
    found = codes()
    assert len(found) > 30, "the pattern must find the codes"
    assert sorted(found - documented()) == []
