"""What stops a benchmark."""

from __future__ import annotations


class DisagreementError(Exception):
    """Two programs that should give the same did not."""
