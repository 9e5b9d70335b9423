"""Which code made an output: the release and a digest of the source itself."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from core import __version__


@cache
def code_version() -> str:
    """``0.1.0+1a2b3c4d5e6f``: version and SHA-256 over the package's Python, C and TOML files.

    The digest is in the run's id: changed code starts a new run and never resumes the shards of another code.
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in (".c", ".py", ".toml"):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__}+{digest.hexdigest()[:12]}"
