"""Gzip inflated as a stream: member after member, in bounded pieces, within a bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.errors import ContentError
from core.recording.gzip_member import MAGIC, PIECE_BYTES, DamagedError, Input, Member, Piece
from core.recording.inflate_native import Members

__all__ = ["PIECE_BYTES", "Inflate", "unreadable"]

INFLATED_FLOOR = 1 << 30
INFLATED_RATIO = 100
INFLATED_CEILING = 8 << 30
"""Bytes that may come out: the ratio times what went in, at least the floor, never over the ceiling.

Recordings inflate about fivefold (16 MB to 77 MB) and deflate can do 1032-fold. The floor lets ten hours of
twenty flat waves through (36 MB each, next to nothing when compressed) and costs a second to inflate; the ratio lets
no bomb grow beyond that in step with its own size.
"""

MAXIMUM_MEMBERS = 100_000
"""Recordings have one, joined ones a few; each costs the making of an inflater, however small it is."""

_SLICE = 256 * 1024
"""Bytes that an inflater is given at a time: few calls, and little left over to be copied where the output is full."""


def unreadable(what: str) -> ContentError:
    """The error of a recording that cannot be used; ``what`` is a plain sentence."""
    return ContentError("unreadable", what)


class Inflate:
    """The inflated bytes of gzip pieces, to be iterated once; the figures are final when the iteration has ended.
    Each piece stands until the next one is asked for; who keeps it must copy it.

    Zero padding between and after the members is ignored. ``truncated``: the input ends inside a member.
    ``trailing_bytes``: what follows the last member from the first byte on that neither pads nor begins another.

    Iterating raises
    ----------------
    ContentError
        ``unreadable``: not gzip, damaged (deflate data, checksum or length), or larger than the bound above.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.bytes_in = 0
        self.bytes_out = 0
        self.trailing_bytes = 0
        self.truncated = False

    def __iter__(self) -> Iterator[Piece]:
        members = Members()
        member: Member | None = None
        begun = 0
        head = b""
        for piece in self._slices():
            if self.trailing_bytes:
                self.trailing_bytes += len(piece)
                continue
            rest: Input = piece
            while len(rest):
                if member is None:
                    found = (head + rest).lstrip(b"\0") if begun else head + rest
                    head = found if found == MAGIC[:1] else b""
                    if head or not found:
                        break
                    if not found.startswith(MAGIC):
                        self._no_member(found, begun)
                        break
                    member, begun, rest = members.next(), self._counted(begun), found
                yield from self._inflate(member, rest)
                rest = member.rest() if member.ended else b""
                member = None if member.ended else member
        if not self.bytes_in:
            raise unreadable("The file is empty.")
        # One byte left over that may begin another member says that the file was cut there.
        self.truncated = member is not None or bool(head)

    def close(self) -> None:
        """Leave the rest of the input where it is; who delivers it may stop."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()

    def _no_member(self, rest: bytes, members: int) -> None:
        if not members:
            raise unreadable("This is not a gzip file.")
        self.trailing_bytes = len(rest)

    def _counted(self, begun: int) -> int:
        if begun == MAXIMUM_MEMBERS:
            raise unreadable(f"The file has more than {MAXIMUM_MEMBERS:,} gzip members; no recording has.")
        return begun + 1

    def _slices(self) -> Iterator[memoryview]:
        # A caller may hand over the whole file at once; the inflater copies its unread input at every call.
        for piece in self._pieces:
            whole = memoryview(piece)
            for start in range(0, len(piece), _SLICE):
                part = whole[start : start + _SLICE]
                self.bytes_in += len(part)
                yield part

    def _inflate(self, member: Member, data: Input) -> Iterator[Piece]:
        try:
            for out in member.inflate(data):
                self.bytes_out += len(out)
                self._guard()
                yield out
        except DamagedError:
            raise unreadable(
                "The compressed data is damaged: its checksum says that some bytes are wrong, nobody can say "
                "which, so none are used."
            ) from None

    def _guard(self) -> None:
        bound = min(max(INFLATED_FLOOR, INFLATED_RATIO * self.bytes_in), INFLATED_CEILING)
        if self.bytes_out > bound:
            raise unreadable(
                f"The file inflates to more than {bound:,} bytes from {self.bytes_in:,}; no recording does that."
            )
