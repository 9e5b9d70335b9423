"""Faults of the file itself: what is left after crashes, bad disks, half copies and bad intentions."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import replace

import numpy as np

from core.recording.model import Header
from core.recording.writer import (
    Format,
    Layout,
    Raw,
    TrackDeclaration,
    TrackKind,
    WaveTrack,
    header_bytes,
    packet,
)
from core.workload import Outcome
from core.workloads.vitaldb.demo.bench import OLD_HEADER, SECONDS, START, Bench, begin, only, plain, play
from core.workloads.vitaldb.demo.tape import Tape, declare
from core.workloads.vitaldb.demo.truth import CaseTruth

MIDDLE = START + SECONDS / 2
BOMB_BLOCKS, BOMB_BLOCK_BYTES = 160, 16 << 20
"""2.5 GiB of zeros, which take 2.6 MB as gzip."""

MILLION = 1_000_000
_WAVE_SECONDS, _WAVE_RATE = 1200, 500
_STORED_BLOCK_INSIDE = 10 + 5 + 4000


def empty_file(bench: Bench) -> CaseTruth:
    """No byte at all."""
    return bench.unreadable_bytes(b"")


def not_gzip(bench: Bench) -> CaseTruth:
    """An error page that was saved under the recording's name."""
    return bench.unreadable_bytes(b"<html><body>503 Service Unavailable</body></html>\n" * 20)


def wrong_magic(bench: Bench) -> CaseTruth:
    """Sound gzip, but no recording."""
    return bench.unreadable_bytes(gzip.compress(b"VITB" + header_bytes(OLD_HEADER)[4:] + bytes(2000), mtime=0))


def truncated_before_record(bench: Bench) -> CaseTruth:
    """The recorder died after its declarations."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        begin(tape, channels)

    return bench.unreadable(build)


def truncated_gzip(bench: Bench) -> CaseTruth:
    """The compressed stream ends in the middle of the operation; all records before the cut are there."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        play(tape, begin(tape, channels), before=MIDDLE)

    return bench.readable(build, finish=False)


def truncated_packet(bench: Bench) -> CaseTruth:
    """The gzip stream is whole; the recording in it ends inside a packet."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        play(tape, tracks, before=MIDDLE)
        tape.raw_bytes(packet(1, bytes(16))[:14])

    return bench.readable(build, cut=True)


def bit_flip(bench: Bench) -> CaseTruth:
    """One flipped bit that inflates without complaint: only the checksum at the end knows."""
    parts: list[bytes] = []
    plain(bench.channels())(Tape(parts.append, OLD_HEADER))
    # Stored, not deflated, so that the flip surely hits data and not the structure of the stream.
    data = bytearray(gzip.compress(b"".join(parts), compresslevel=0, mtime=0))
    data[_STORED_BLOCK_INSIDE] ^= 0x10
    return bench.unreadable_bytes(bytes(data))


def damaged_deflate(bench: Bench) -> CaseTruth:
    """Half the recording, then bytes that no deflate stream can have."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        play(tape, begin(tape, channels), before=MIDDLE)

    return bench.unreadable(build, tail=b"\xff" * 64)


def gzip_bomb(bench: Bench) -> CaseTruth:
    """A valid recording whose next packet holds 2.5 GiB of zeros, and is closed with the right checksum."""
    channels = bench.channels()
    size = BOMB_BLOCKS * BOMB_BLOCK_BYTES
    parts: list[bytes] = []

    def build(tape: Tape) -> None:
        play(tape, begin(tape, channels), before=MIDDLE)
        tape.raw_bytes(struct.pack("<BI", 99, size))

    build(Tape(parts.append, OLD_HEADER))
    zeros = bytes(BOMB_BLOCK_BYTES)
    checksum = zlib.crc32(b"".join(parts))
    for _ in range(BOMB_BLOCKS):
        checksum = zlib.crc32(zeros, checksum)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    length = (sum(map(len, parts)) + size) % (1 << 32)
    return bench.unreadable(build, tail=block * BOMB_BLOCKS + b"\x03\x00" + struct.pack("<II", checksum, length))


def packet_over_1_mb_early(bench: Bench) -> CaseTruth:
    """A packed wave of 1.2 MB in one record before almost everything else."""
    return _with_long_packet(bench, START + 10)


def packet_over_1_mb_late(bench: Bench) -> CaseTruth:
    """A packed wave of 1.2 MB in one record before the last five minutes."""
    return _with_long_packet(bench, START + SECONDS - 300)


def _with_long_packet(bench: Bench, at: float) -> CaseTruth:
    channels = bench.channels()

    def build(tape: Tape) -> None:
        tracks = begin(tape, channels)
        declaration = TrackDeclaration(
            500, "ECG_II", "mV", TrackKind.WAVE, Format.I16, rate_hz=_WAVE_RATE, gain=0.005, device=1
        )
        tape.track(declaration)
        play(tape, tracks, before=at)
        tape.layout(Layout.PACKED, [], [WaveTrack(declaration, START, _WAVE_SECONDS, _same_beat)], [])
        play(tape, tracks, after=at)

    return bench.readable(build)


def _same_beat(first: int, last: int) -> Raw:
    beat = (200.0 * np.sin(np.arange(_WAVE_RATE) * (2.0 * np.pi / _WAVE_RATE))).astype(np.int16)
    return np.tile(beat, last - first)


def length_of_4_gib(bench: Bench) -> CaseTruth:
    """The last packet claims 4 GiB and the file ends a few bytes later."""
    channels = bench.channels()

    def build(tape: Tape) -> None:
        play(tape, begin(tape, channels))
        tape.raw_bytes(packet(1, bytes(40), length=0xFFFFFFFF))

    return bench.readable(build, cut=True)


def million_tracks(bench: Bench) -> CaseTruth:
    """A million declared names between the two halves of an ordinary recording."""
    channels = bench.channels()
    early = [channel for channel in channels if channel.device != "BIS"]

    def build(tape: Tape) -> None:
        tracks = begin(tape, early)
        play(tape, tracks, before=MIDDLE)
        for first in range(0, MILLION, 100_000):
            tape.declarations(_names(first, 100_000), 100_000)
        tape.device(77, "BIS", "BIS")
        for number, channel in enumerate(only(channels, "BIS"), 900):
            declaration = declare(channel, number, 77)
            tape.track(declaration)
            tape.records(declaration, channel.times, channel.values)
        play(tape, tracks, after=MIDDLE)

    return bench.readable(build)


def _names(first: int, count: int) -> bytes:
    head = [("type", "u1"), ("length", "<u4"), ("number", "<u2"), ("kind", "u1"), ("format", "u1"), ("size", "<u4")]
    rows = np.zeros(count, np.dtype([*head, ("name", "u1", (8,))]))
    numbers = np.arange(first, first + count)
    rows["length"] = 16
    rows["number"] = 1000 + numbers // 20_000
    rows["kind"], rows["format"], rows["size"] = TrackKind.NUMERIC, Format.F32, 8
    rows["name"][:, 0] = ord("T")
    rows["name"][:, 1:] = numbers[:, None] // 10 ** np.arange(6, -1, -1) % 10 + ord("0")
    return rows.tobytes()


def trailing_bytes(bench: Bench) -> CaseTruth:
    """Something follows the end of the gzip stream that is no gzip."""
    return bench.readable(plain(bench.channels()), tail=b"-- end of transfer --\n" * 3)


def joined_members(bench: Bench) -> CaseTruth:
    """Two gzip members in one file, which is legal: together they are one recording."""
    channels = bench.channels()
    parts: list[bytes] = []
    tape = Tape(parts.append, OLD_HEADER)
    tracks = begin(tape, channels)
    play(tape, tracks, before=MIDDLE)
    half = len(parts)
    play(tape, tracks, after=MIDDLE)
    members = [gzip.compress(b"".join(part), mtime=0) for part in (parts[:half], parts[half:])]
    bench.path.write_bytes(b"".join(members))
    loss = tape.loss(bench.path.stat().st_size)
    return replace(bench.base, outcome=Outcome.DONE, windows=tape.windows, seconds=tape.seconds, loss=loss,
                   header_length=OLD_HEADER.length)  # fmt: skip


def longer_header(bench: Bench) -> CaseTruth:
    """A header of a generation to come: 40 bytes, of which 27 are known."""
    return bench.readable(plain(bench.channels()), Header(3, 40, -540, START - 2.0, START + SECONDS, False))


def header_of_26_bytes(bench: Bench) -> CaseTruth:
    """Start and end, but no packed byte."""
    return bench.readable(plain(bench.channels()), Header(3, 26, -540, START - 2.0, START + SECONDS))
