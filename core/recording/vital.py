"""The reader of ``.vital`` recordings: one pass, only the wanted values kept, every loss counted.

The format is spec/vitaldb's section "The recording format" with its fine print.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from core.recording.attribute import declarations, samples
from core.recording.blocks import Blocks
from core.recording.collect import Settled, settle
from core.recording.declare import Register
from core.recording.inflate import Inflate, unreadable
from core.recording.model import Header, LossReport, Recording
from core.recording.packets import COMMAND, DEVICE, RAW, RECORD, TRACK
from core.recording.records import Records
from core.recording.stop import nothing_left

PACKETS_FLOOR = 4_000_000
"""Packets beyond one per compressed byte that one recording may have (the bound is ours).

A real recording has one packet in thirty compressed bytes.
"""


def read_vital(pieces: Iterable[bytes], wanted: Collection[str] | None, *, may_stop: bool = False) -> Recording:
    """Read one recording; ``wanted`` are tracks as ``Device/NAME``, ``None`` means every numeric one.

    ``may_stop``: the rest of a packed recording is neither fetched nor examined once the wanted tracks are complete
    by :func:`~core.recording.stop.nothing_left`; the loss report says so.

    Raises
    ------
    ContentError
        ``unreadable``: not gzip, wrong magic, damaged, cut before its first record, or beyond any recording in size.
    """
    stream = Inflate(pieces)
    blocks = Blocks(Register(wanted))
    stopped = _walk(stream, blocks, may_stop)
    return _finish(stream, blocks.finish(), blocks, stopped)


def _walk(stream: Inflate, blocks: Blocks, may_stop: bool) -> bool:
    """Walk over the blocks; whether the last ones were left alone. Only at a block's end, which is a fixed place."""
    for piece in stream:
        for _ in blocks.take(piece):
            _check_packets(blocks.records, stream)
            if may_stop and nothing_left(blocks.header, blocks.records):
                stream.close()
                return True
    return False


def _check_packets(records: Records, stream: Inflate) -> None:
    if records.packets > PACKETS_FLOOR + stream.bytes_in:
        raise unreadable(f"The file has over {records.packets:,} packets, far more than its size can mean.")


def _finish(stream: Inflate, header: Header, blocks: Blocks, stopped: bool) -> Recording:
    records = blocks.records
    # Where the reader stopped by itself, nobody knows how the file ends.
    truncated = not stopped and (stream.truncated or blocks.inside_packet)
    if truncated and not records.read:
        raise unreadable("The file ends before its first record.")
    settled = settle(samples(records), records.clock.earliest)
    recording = Recording(
        format="vital",
        header=header,
        earliest=records.clock.earliest,
        tracks=settled.tracks,
        declarations=declarations(records),
        devices=tuple(records.register.device_names),
        loss=LossReport(),
    )
    seconds = records.clock.seconds(recording.t0)
    loss = _loss(stream, records, settled, len(recording.declarations))
    # What an inflater had ready beyond the last block is its own affair: the report is the same with any.
    loss = replace(loss, bytes_out=blocks.taken, seconds=seconds, truncated=truncated, rest_not_examined=stopped)
    return replace(recording, loss=loss)


def _loss(stream: Inflate, records: Records, settled: Settled, distinct: int) -> LossReport:
    counts, register = records.counts, records.register
    named = {"device": DEVICE, "track": TRACK, "record": RECORD, "command": COMMAND, "raw": RAW}
    packets = {name: counts[kind] for name, kind in named.items()}
    return LossReport(
        bytes_in=stream.bytes_in,
        packets={**packets, "unknown": sum(counts) - sum(packets.values())},
        records_read=records.read,
        records_kept=settled.kept,
        records_unwanted=records.read - settled.kept - settled.late,
        records_undeclared=records.undeclared,
        records_bad_time=records.bad_time,
        records_late=settled.late,
        malformed_packets=records.malformed_declarations + records.malformed,
        tracks_redeclared=register.declared - register.unlisted - distinct,
        duplicate_times=settled.duplicate_times,
        backward_times=settled.backward_times,
        largest_gap_s=settled.largest_gap_s,
        trailing_bytes=stream.trailing_bytes,
    )
