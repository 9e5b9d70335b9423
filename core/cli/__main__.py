"""``python -m core.cli`` is ``casemill``."""

from __future__ import annotations

from core.cli.main import main

main()
