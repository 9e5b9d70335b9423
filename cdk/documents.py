"""The parts of ``docs/aws`` that are made from the code: settings, alarms, idle cost and pictures.

``python -m cdk.documents TEMPLATES`` writes them anew from the folder of templates (``make picture``), and ends with 1
where ``--check`` finds one that is not up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cdk.alarms import ALARMS
from cdk.idle_cost import IdleCost, idle_costs
from cdk.image import REPOSITORY_ROOT
from cdk.picture import architecture, workflow
from cdk.settings import KEY_PREFIX, Settings

FOLDER = REPOSITORY_ROOT / "docs" / "aws"
BLOCK = re.compile(r"(<!-- made by the code: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.S)
SHOWN_VARIANTS = {"default": "as it comes", "hardened": "`isolated` and `kms`"}


def main() -> None:
    """Write the parts, or only look whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("templates", type=Path, help="the folder of templates, one for each variant of the settings")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where something is stale")
    asked = parser.parse_args()
    templates = {
        name: json.loads((asked.templates / f"{name}.template.json").read_text(encoding="utf-8"))
        for name in SHOWN_VARIANTS
    }
    stale = stale_documents(templates)
    for path, text in stale.items():
        if not asked.check:
            path.write_text(text, encoding="utf-8")
    if asked.check and stale:
        names = ", ".join(str(path.relative_to(REPOSITORY_ROOT)) for path in stale)
        sys.exit(f"{names}: not what the code says. Run: make picture")


def stale_documents(templates: Mapping[str, Mapping[str, Any]], folder: Path = FOLDER) -> dict[Path, str]:
    """Documents that are not as they should be, and how they should be.

    Raises
    ------
    KeyError
        A document asks for a part that does not exist.
    """
    parts = document_parts(templates)
    found = {}
    for path in sorted(folder.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        fresh = BLOCK.sub(lambda match: f"{match[1]}{parts[match['name']]}\n{match[3]}", text)
        if fresh != text:
            found[path] = fresh
    return found


def document_parts(templates: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Each part by its name, from the templates of ``SHOWN_VARIANTS``."""
    default = templates["default"]
    return {
        "settings": settings_table(),
        "alarms": alarms_table(),
        "idle-cost": idle_cost_table({title: idle_costs(templates[name]) for name, title in SHOWN_VARIANTS.items()}),
        "architecture": f"```mermaid\n{architecture(default)}\n```",
        "workflow": f"```mermaid\n{workflow(default)}\n```",
    }


def settings_table() -> str:
    """Every setting, its default, and what it takes."""
    rows = [
        (f"`{KEY_PREFIX}{name}`", _written(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _table(("setting", "default", "what it takes"), rows)


def alarms_table() -> str:
    """Every alarm, when it is raised, and what happened then."""
    rows = [(f"[{spec.name}](#{spec.name})", spec.condition, spec.happened) for spec in ALARMS]
    return _table(("alarm", "raised when, within 5 minutes", "what happened"), rows)


def idle_cost_table(costs: Mapping[str, tuple[IdleCost, ...]]) -> str:
    """Dollars a month by type of resource, a column for each variant; what costs by use only stands in one line."""
    by_type = {title: {line.resource_type: line for line in lines} for title, lines in costs.items()}
    priced = sorted({line.resource_type for lines in costs.values() for line in lines if line.basis != "by use only"})
    rows = []
    for kind in priced:
        found = [lines.get(kind) for lines in by_type.values()]
        basis = next(line.basis for line in reversed(found) if line)
        rows.append((kind.removeprefix("AWS::"), *(_usd(line) for line in found), basis))
    free = [sum(line.count for line in lines if line.basis == "by use only") for lines in costs.values()]
    rows.append(("everything else", *("0.00" for _ in free), f"by use only ({' and '.join(map(str, free))} resources)"))
    rows.append(("**sum**", *(f"**{sum(line.usd for line in lines):.2f}**" for lines in costs.values()), ""))
    return _table(("resource", *(f"{title}, USD" for title in costs), "how"), rows)


def _usd(line: IdleCost | None) -> str:
    return f"{line.usd:.2f} ({line.count})" if line else "–"


def _written(value: object) -> str:
    match value:
        case None | () | {}:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case float():
            return f"`{value:g}`"
    return f"`{value}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
