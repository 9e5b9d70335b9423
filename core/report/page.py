"""From all that the report says to one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from core.code_version import code_version
from core.errors import FatalError
from core.report import charts, words
from core.report.library import BUNDLE, make_library
from core.report.model import RunPage, ViewedCase

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS = BUNDLE.parent


def render_run(page: RunPage) -> bytes:
    """The report of a run: the same page gives the same bytes.

    Raises
    ------
    FatalError
        ``report_library``: the template engine or the plotting library is not installed.
    """
    drawings = {
        f"distribution-{place}": charts.distribution_spec(item)
        for place, item in enumerate(page.distributions)
        if sum(item.counts) + item.below + item.above
    }
    if page.work.attempts:
        drawings["timeline"] = charts.timeline_spec(page.work)
    return _render("run.html", drawings, page.viewer.cases, page=page)


def render_case(case: ViewedCase, place: str) -> bytes:
    """The viewer's page of one case, read from ``place``; errors as :func:`render_run`."""
    return _render("case.html", {}, (case,), case=case, place=place)


def _render(template: str, drawings: Mapping[str, Any], viewed: tuple[ViewedCase, ...], **content: object) -> bytes:
    environment = _environment()
    library = _library() if drawings or viewed else ""
    scripts = [script for script in (library, _asset("report.js")) if script]
    text = environment.get_template(template).render(
        **content,
        style=_asset("report.css"),
        scripts=scripts,
        policy=_policy(scripts),
        data={"charts": drawings, "cases": [asdict(case) for case in viewed]},
        version=code_version(),
        charts=charts,
    )
    return text.encode("utf-8", "replace")


def _policy(scripts: list[str]) -> str:
    """Content-Security-Policy: nothing is loaded from anywhere, and no script runs but ours. Vega compiles its
    specifications, which takes ``unsafe-eval``; they hold no expression that comes from data."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed} 'unsafe-eval'"


def _library() -> str:
    if not BUNDLE.exists():
        try:
            make_library()
        except (ImportError, OSError):
            raise _missing("the plotting library was not there when Casemill was installed") from None
    text = _asset(BUNDLE.name)
    assert "</script" not in text.lower(), "the bundle cannot stand in a page"
    return text


@cache
def _asset(name: str) -> str:
    # As the parser of a page sees line ends, or the policy's digests would be of other bytes.
    return (ASSETS / name).read_text(encoding="utf-8").replace("\r\n", "\n").replace("\r", "\n")


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise _missing("the template engine (Jinja2) is not installed") from None
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "share": words.share,
        "size": words.size,
        "png": lambda data: f"data:image/png;base64,{base64.b64encode(data).decode()}",
    }
    environment.globals["count"] = words.count
    return environment


def _missing(what: str) -> FatalError:
    return FatalError("report_library", what, where="the run report", fix="pip install 'casemill[report]'.")
