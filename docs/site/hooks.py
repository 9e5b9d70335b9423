"""What the site needs beside its pages: the library that draws, so that no reader fetches it from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

MERMAID = "site/mermaid.min.js"


def on_files(files: Files, config: Any) -> Files:
    """Add the library; without it the theme would fetch it from another site whenever a page is opened."""
    place = Path(os.environ.get("CASEMILL_MERMAID", "build/mermaid.min.js")).absolute()
    if not place.is_file():
        raise PluginError(f"{place} is missing: make docs fetches it once")
    files.append(File.generated(config, MERMAID, abs_src_path=str(place)))
    return files
