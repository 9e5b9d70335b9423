"""The cloud assembly that the local cloud deploys: the real app, with short pauses and a readable source bucket."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.command_line import REPOSITORY

SHORT_PAUSES = {"casemill:guard_seconds": 1, "casemill:retry_seconds": 1}
SOURCE_BUCKET = "recordings"


def synthesise(folder: Path, **changed: Any) -> Path:
    """Synthesise the app with the settings of ``cdk.json``, and ``changed`` ones (without ``casemill:``).

    The functions' package is assembled once for each folder. Gives the assembly's folder.
    """
    from cdk.node_runtime import use_packaged_node

    use_packaged_node()
    from cdk.application import build_app
    from cdk.assemble import assemble

    built = folder / "built"
    if not built.exists():
        assemble(built / "workflow", python=f"{sys.version_info.major}.{sys.version_info.minor}")
    context = json.loads((REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
    context |= SHORT_PAUSES | {"casemill:source_buckets": [SOURCE_BUCKET]}
    context |= {f"casemill:{name}": value for name, value in changed.items()}
    assembly = folder / f"assembly-{len(list(folder.glob('assembly-*')))}"
    build_app(context, outdir=assembly, built_functions=built).synth()
    return assembly
