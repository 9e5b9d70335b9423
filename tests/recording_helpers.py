"""One device, one track, and short ways to read a recording and to look at it."""

from __future__ import annotations

import pytest

from core.errors import ContentError
from core.recording.model import Recording
from core.recording.vital import read_vital
from tests.recording_bytes import device, packed, track

SOLAR = device(1, "Solar", "Solar8000", "COM1")
HR = track(7, "HR", unit="/min")
T = 1_500_000_000.0


def read(*packets: bytes, wanted: set[str] | None = None, head: bytes | None = None) -> Recording:
    return read_vital([packed(*packets, head=head)], wanted)


def rows(recording: Recording, name: str = "Solar8000/HR") -> list[tuple[float, float]]:
    track = recording.tracks[name]
    return list(zip(track.times.tolist(), track.values.tolist(), strict=True))


def fails(data: bytes, what: str) -> None:
    with pytest.raises(ContentError, match=what) as caught:
        read_vital([data], None)
    assert caught.value.code == "unreadable"
