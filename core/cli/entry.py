"""The console script. Light on purpose: each worker process imports the script that started it, and runs none of it."""

from __future__ import annotations


def main() -> None:
    """Run the command line; never returns."""
    from core.cli.main import main as run

    run()
