"""One recording of any accepted format, chosen by the suffix of its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from core.recording.inflate import unreadable
from core.recording.model import Recording
from core.recording.vital import read_vital


def _read_parquet(pieces: Iterable[bytes], wanted: Collection[str] | None) -> Recording:
    from core.recording.tabular import read_parquet  # Arrow, which a worker on .vital files does without

    return read_parquet(pieces, wanted)


def _read_csv(pieces: Iterable[bytes], wanted: Collection[str] | None) -> Recording:
    from core.recording.tabular import read_csv

    return read_csv(pieces, wanted)


_VITAL = ".vital"
_TABLES: dict[str, Callable[[Iterable[bytes], Collection[str] | None], Recording]] = {
    ".parquet": _read_parquet,
    ".csv.gz": _read_csv,
    ".csv": _read_csv,
}

RECORDING_SUFFIXES = (_VITAL, *_TABLES)
"""The accepted suffixes, the one to prefer first where a case has several objects."""


def read_recording(
    key: str, pieces: Iterable[bytes], wanted: Collection[str] | None, *, may_stop: bool = False
) -> Recording:
    """Read the recording that is named ``key`` from its bytes in order.

    ``wanted`` are tracks as ``Device/NAME``; ``None`` means every numeric track. ``may_stop``: leave the rest of a
    packed recording alone once the wanted tracks are complete (:mod:`core.recording.stop`); ``pieces`` is closed then.
    What ``pieces`` raises (faults of the storage) passes through.

    Raises
    ------
    ContentError
        ``unreadable``: the suffix is none of :data:`RECORDING_SUFFIXES`, or the content is not what it says.
    """
    name = key.lower()
    if name.endswith(_VITAL):
        return read_vital(pieces, wanted, may_stop=may_stop)
    for suffix, reader in _TABLES.items():
        if name.endswith(suffix):
            return reader(pieces, wanted)
    raise unreadable(f"The name ends in none of {', '.join(RECORDING_SUFFIXES)}.")
