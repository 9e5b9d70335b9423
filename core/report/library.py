"""The plotting library that the page carries: Vega, Vega-Lite and Vega-Embed, as vl-convert bundles them.

Run when Casemill is installed (``setup.py``) and when the functions' package is assembled:
``python core/report/library.py``. The bundle is no part of the repository; it needs nothing of Casemill.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

BUNDLE = Path(__file__).with_name("assets") / "vega.min.js"
"""Where the bundle stands; the functions' package and an installed Casemill have it, and nothing else of vl-convert."""


def make_library(target: Path = BUNDLE) -> int:
    """Write the bundle, and give its size in bytes; the same version gives the same bytes.

    Raises
    ------
    ImportError
        There is no ``vl_convert``.
    """
    import vl_convert

    # Its stub has it that a snippet is required.
    content = str(vl_convert.javascript_bundle())  # type: ignore[call-arg]
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own: two tests may find the bundle missing at the same time.
    unfinished = target.with_name(f"{target.name}.tmp{os.getpid()}")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(target)
    return target.stat().st_size


if __name__ == "__main__":
    sys.stdout.write(f"{BUNDLE}: {make_library():,} bytes\n")
