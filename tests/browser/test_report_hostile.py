"""Names that come from recordings, tables and other people's workloads are data, whatever they hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from core.report.documents import read_documents
from core.report.gather import gather
from core.report.page import render_run
from core.report.write import look_at
from core.reporting import ReportingWorkload
from core.run.source import open_source
from core.store import open_store
from core.workloads.registry import build_workload
from tests.browser.conftest import Opener, Reported

ATTACKS = (
    "<script>window.broken = 1</script>",
    "</script><script>window.broken = 2</script>",
    "\"'><img src=x onerror='window.broken = 3'>",
    "'+alert(1)+'",
    "{{ 7 * 7 }}",
    "]]>--><svg onload=window.broken=4>",
)
LITERAL = ("state", "split", "outcome")


def spoiled(thing: Any, attack: str) -> Any:
    """The same with the attack at the end of every text."""
    if isinstance(thing, str):
        return f"{thing}{attack}"
    if isinstance(thing, tuple):
        return tuple(spoiled(item, attack) for item in thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
        changed = {name: spoiled(value, attack) for name, value in fields.items() if name not in LITERAL}
        return dataclasses.replace(thing, **changed)
    return thing


def test_no_text_becomes_a_program(opening: Opener, demo: Reported, tmp_path: Path) -> None:
    attack = " ".join(ATTACKS)
    store = open_store(demo.file.parents[2])
    documents = read_documents(store, demo.run_id)
    workload = build_workload(documents.request.workload, documents.request.configuration)
    assert isinstance(workload, ReportingWorkload)
    source = open_source(documents.request.source)
    page = gather(documents, workload, lambda case: look_at(workload, case, source), sample=1)
    file = tmp_path / "hostile.html"
    file.write_bytes(render_run(spoiled(page, attack)))
    opened = opening(file)
    opened.scroll_through()
    assert opened.page.evaluate("window.broken") is None
    assert opened.said == []
    assert opened.asked == [file.as_uri()]
    assert attack in opened.text("h1"), "it is shown as it is"
    assert f"HR{attack}" in opened.text("#viewer-chart")
