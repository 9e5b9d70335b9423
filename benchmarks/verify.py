"""Deep verification of a shard of real cases: megabytes of records a second on one core."""

from __future__ import annotations

import hashlib

from benchmarks.files import BenchFolder
from benchmarks.limits import inflate_only
from benchmarks.measure import in_turn, rate
from benchmarks.ours import SHARD, OurCase, done, our_case
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_least, line, raw
from core.examples.members import Compression, decompress_member
from core.recording.writer import Layout
from core.run.models import ShardEntry
from core.run.shard import OpenShard
from core.run.verify_shard import verify_shard


def measure_verify(folder: BenchFolder, sizes: Sizes) -> Part:
    """The same shard, GZIP and plain; every byte, record, checksum and value is checked."""
    recording = folder.recording(Layout.PACKED, sizes.case_s)
    with folder.scratch() as out:
        case = our_case(recording, out)
        made = {name: _shard(case, sizes.verified_cases, name) for name in (Compression.GZIP, Compression.NONE)}
    content = decompress_member(made[Compression.GZIP][0])
    megabytes = len(content) / 1e6

    def check(compression: Compression) -> None:
        data, entry = made[compression]
        findings = verify_shard(data, entry, case.schema, compression)
        if findings.problems:
            raise RuntimeError(findings.problems)

    members = [
        made[Compression.GZIP][0][entry.offset : entry.offset + entry.length]
        for entry in made[Compression.GZIP][1].cases
    ]
    times = in_turn(
        {
            "GZIP": lambda: check(Compression.GZIP),
            "plain": lambda: check(Compression.NONE),
            "SHA-256": lambda: hashlib.sha256(content).digest(),
            "inflate": lambda: [inflate_only(member, len(content)) for member in members],
        },
        sizes.rounds,
    )
    lines = (
        line("GZIP", rate(megabytes, times["GZIP"]), "MB/s", at_least(500)),
        line("plain", rate(megabytes, times["plain"]), "MB/s", at_least(500)),
        line("limit: SHA-256 over the records", rate(megabytes, times["SHA-256"]), "MB/s"),
        line("limit: inflate the members", rate(megabytes, times["inflate"]), "MB/s"),
    )
    about = f"A shard of {sizes.verified_cases} cases with {megabytes:.1f} MB of records; MB are those of the records."
    title = "Deep verification on one core"
    return Part(name="verify", title=title, about=about, lines=lines, times=raw(times))


def _shard(case: OurCase, cases: int, compression: Compression) -> tuple[bytes, ShardEntry]:
    """A shard that holds the case several times, as its commit would describe it."""
    result = done(case.process())
    shard = OpenShard(compression)
    for _ in range(cases):
        shard.finish(case.planned, result, case.schema)
    data = shard.object_bytes()
    entry = ShardEntry(
        shard=SHARD,
        split="train",
        path=f"train/{SHARD}{compression.suffix}",
        content_sha256=shard.content.hexdigest(),
        object_sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        records=shard.records,
        cases=tuple(shard.entries),
    )
    return data, entry
