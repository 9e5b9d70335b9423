"""``python -m core.cli`` is ``casemill``."""

from __future__ import annotations

from core.cli.entry import main

main()
