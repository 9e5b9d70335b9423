"""The console script. Light on purpose: each worker process imports the script that started it, and runs none of it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; never returns."""
    try:
        from core.cli.streams import prepare_streams

        prepare_streams()
        from core.cli.main import main as run
    except KeyboardInterrupt:  # nothing that could say it better is loaded yet
        sys.stderr.write("error [stopped] interrupted before anything was begun\n  Run the same command again.\n")
        sys.exit(130)
    run()
