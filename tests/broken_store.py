"""A store whose operations fail as a test wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.store import Store


class BrokenStore(Store):
    """Raises ``error`` for some of its operations, and counts them."""

    def __init__(self, store: Store, error: Exception, operations: tuple[str, ...]) -> None:
        super().__init__(store._access, store.uri)
        self.calls: list[str] = []
        for name in operations:
            setattr(self, name, self.fail(name, error))

    def fail(self, name: str, error: Exception) -> Callable[..., Any]:
        def failing(*arguments: Any, **more: Any) -> Any:
            self.calls.append(name)
            raise error

        return failing
