"""A whole case, and the reader alone, in the three layouts: against the naive script, vitaldb and the inflate limit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from benchmarks.agree import tracks_agree, windows_agree
from benchmarks.files import BenchFolder, BenchRecording
from benchmarks.layouts import TRACKS
from benchmarks.limits import inflate_only, inflate_ours, write_only
from benchmarks.measure import Times, in_turn, ratio, spread, together
from benchmarks.ours import SHARD_KEY, done, our_case
from benchmarks.sizes import Sizes
from benchmarks.table import Line, Part, at_least, line, milliseconds, raw
from benchmarks.usual import naive_case, read_usual
from core.examples.members import decompress_member
from core.recording.writer import Layout

GOALS = {
    Layout.PACKED: (15.0, 14.0, 25.0),
    Layout.TRACK_BY_TRACK: (6.0, 4.0, 75.0),
    Layout.INTERLEAVED: (9.0, 8.0, 65.0),
}
"""Whole case against the naive script (×), reader against vitaldb (×), share of the inflate limit (%)."""


def measure_whole_case(folder: BenchFolder, sizes: Sizes, layout: Layout) -> Part:
    """One layout: everything about it in one contest."""
    recording = folder.recording(layout, sizes.case_s)
    with folder.scratch() as out:
        case = our_case(recording, out)
        agreements = (tracks_agree(case, recording.path), windows_agree(case, recording.path, out))
        result = done(case.process())
        shard = case.finish(result)
        records = decompress_member(shard.object_bytes())
        data, object_ = recording.path.read_bytes(), (out / SHARD_KEY).read_bytes()
        times = in_turn(
            {
                "naive": lambda: naive_case(recording.path, out / "naive.tfrecord.gz"),
                "naive from lists": lambda: naive_case(recording.path, out / "naive.tfrecord.gz", as_lists=True),
                "ours": case.whole,
                "vitaldb": lambda: read_usual(recording.path),
                "our reader": case.read,
                "inflate": lambda: inflate_only(data, recording.facts.needed_bytes),
                "our inflate": lambda: inflate_ours(data, recording.facts.needed_bytes),
                "our workload": case.process,
                "our pack, hash and GZIP": lambda: case.finish(result),
                "our write": lambda: case.write(shard),
                "hash": lambda: hashlib.sha256(records).digest(),
                "page cache": lambda: write_only(object_, out / "limit"),
            },
            sizes.rounds,
        )
    whole, reader, limit = GOALS[layout]
    ours, inflate = times["ours"], times["inflate"]
    lines = [
        line("whole case against the naive script", ratio(times["naive"], ours), "×", at_least(whole),
             milliseconds(("naive", times["naive"]), ("ours", ours))),
        line("reader against vitaldb", ratio(times["vitaldb"], times["our reader"]), "×", at_least(reader),
             milliseconds(("vitaldb", times["vitaldb"]), ("ours", times["our reader"]))
             + f"; inflating alone would be {ratio(times['vitaldb'], inflate).figure:.3g} ×"),
        line("whole case, share of the inflate limit", ratio(inflate, ours).scaled(100), "%", at_least(limit),
             milliseconds(("limit", inflate), ("ours", ours))),
        line("whole case against the naive script that feeds protobuf with Python lists",
             ratio(times["naive from lists"], ours), "×", detail=milliseconds(("naive", times["naive from lists"]))),
        line("reader, share of the inflate limit", ratio(inflate, times["our reader"]).scaled(100), "%"),
        line("inflating alone, against isal", ratio(inflate, times["our inflate"]), "×",
             detail=milliseconds(("ours", times["our inflate"]))),
        line("whole case, share of the inflate limit and of hashing its records together",
             ratio(together(inflate, times["hash"]), ours).scaled(100), "%",
             detail=milliseconds(("SHA-256", times["hash"]))),
        *_stages(times),
    ]  # fmt: skip
    return Part(
        name=layout.value,
        title=f"{_words(layout).capitalize()} case of {recording.seconds / 3600:.2g} h",
        about=_about(recording, result.records),
        lines=tuple(lines),
        agreements=agreements,
        times=raw(times),
    )


def _stages(times: Mapping[str, Times]) -> list[Line]:
    names = {
        "our workload": "of which read, clean, grid and windows",
        "our pack, hash and GZIP": "of which pack, hash and GZIP",
        "our write": "of which written to the store, with the object's SHA-256",
        "page cache": "for comparison: the same bytes into the page cache",
    }
    return [line(text, spread(times[name]).scaled(1e3), "ms") for name, text in names.items()]


def _about(recording: BenchRecording, windows: int) -> str:
    facts = recording.facts
    share = facts.needed_bytes / facts.inflated_bytes
    needed = f" of which the first {share:.1%} are needed," if facts.layout is Layout.PACKED else ""
    return (
        f"{facts.gzip_bytes / 1e6:.1f} MB of gzip with waves, {facts.inflated_bytes / 1e6:.1f} MB inflated,{needed} "
        f"{facts.wanted_records:,} wanted records of {len(TRACKS)} tracks, {windows} windows."
    )


def _words(layout: Layout) -> str:
    return layout.value.replace("_", " ")
