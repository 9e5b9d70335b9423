"""Nested values, such as documents, compared part by part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def differing(first: Any, second: Any) -> dict[str, tuple[Any, Any]]:
    """Both values by the path to them, in order, where they differ; ``None`` where a side has none.

    >>> differing({"step": 5, "shape": [3, 4]}, {"step": 5, "shape": [3, 2], "pad": 0})
    {'shape.1': (4, 2), 'pad': (None, 0)}
    """
    a, b = dict(_leaves(first, "")), dict(_leaves(second, ""))
    return {
        path: (a.get(path), b.get(path))
        for path in dict.fromkeys([*a, *b])
        if (path in a, a.get(path)) != (path in b, b.get(path))
    }


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    children: Iterable[tuple[object, Any]] = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    if not children or not value:
        yield path, value
        return
    for name, child in children:
        yield from _leaves(child, f"{path}.{name}" if path else str(name))
