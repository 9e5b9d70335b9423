"""The app for ``cdk --app``: as ``app.py``, with the functions packed for this machine's Python.

``python -m tests.cloudcli.app BUILT``; the folder is that of the packed functions.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cdk.node_runtime import use_packaged_node

if __name__ == "__main__":
    use_packaged_node()
    from cdk.application import build_app

    build_app(built_functions=Path(sys.argv[1])).synth()
