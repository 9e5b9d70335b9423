"""The example writer against TensorFlow's, plain and GZIP, on the windows of one case."""

from __future__ import annotations

from benchmarks.agree import writers_agree
from benchmarks.files import BenchFolder
from benchmarks.limits import write_only
from benchmarks.measure import in_turn, rate, ratio
from benchmarks.ours import done, our_case, write_examples
from benchmarks.sizes import Sizes
from benchmarks.table import Part, at_least, line, milliseconds, raw
from benchmarks.usual import write_usual
from core.examples.members import Compression
from core.recording.writer import Layout


def measure_writer(folder: BenchFolder, sizes: Sizes) -> Part:
    """Columns in memory to a file, both ways."""
    recording = folder.recording(Layout.PACKED, sizes.case_s)
    with folder.scratch() as out:
        case = our_case(recording, out)
        schema, result = case.schema, done(case.process())
        columns, count = result.columns, result.records
        agreement = writers_agree(schema, columns, out)
        write_examples(schema, columns, out / "plain", Compression.NONE)
        plain = (out / "plain").read_bytes()
        times = in_turn(
            {
                "TensorFlow": lambda: write_usual(columns, out / "usual"),
                "TensorFlow from lists": lambda: write_usual(columns, out / "usual", as_lists=True),
                "ours": lambda: write_examples(schema, columns, out / "ours", Compression.NONE),
                "page cache": lambda: write_only(plain, out / "limit"),
                "TensorFlow GZIP": lambda: write_usual(columns, out / "usual.gz", "GZIP"),
                "TensorFlow GZIP from lists": lambda: write_usual(columns, out / "usual.gz", "GZIP", as_lists=True),
                "ours GZIP": lambda: write_examples(schema, columns, out / "ours.gz", Compression.GZIP),
            },
            sizes.rounds,
        )
        sizes_mb = {name: (out / name).stat().st_size / 1e6 for name in ("usual.gz", "ours.gz")}
    ours, ours_gzip = times["ours"], times["ours GZIP"]
    megabytes = len(plain) / 1e6
    lines = (
        line("plain, against TensorFlow", ratio(times["TensorFlow"], ours), "×", at_least(30),
             milliseconds(("TensorFlow", times["TensorFlow"]), ("ours", ours))),
        line("GZIP at the default level, against TensorFlow", ratio(times["TensorFlow GZIP"], ours_gzip), "×",
             at_least(15), milliseconds(("TensorFlow", times["TensorFlow GZIP"]), ("ours", ours_gzip))),
        line("plain, against TensorFlow fed with Python lists", ratio(times["TensorFlow from lists"], ours), "×",
             detail=milliseconds(("TensorFlow", times["TensorFlow from lists"]))),
        line("GZIP, against TensorFlow fed with Python lists", ratio(times["TensorFlow GZIP from lists"], ours_gzip),
             "×", detail=milliseconds(("TensorFlow", times["TensorFlow GZIP from lists"]))),
        line("plain, share of a write of the same bytes into the page cache",
             ratio(times["page cache"], ours).scaled(100), "%", detail=milliseconds(("limit", times["page cache"]))),
        line("plain", rate(count, ours), "records/s", detail=f"{rate(megabytes, ours).figure:,.0f} MB/s"),
        line("GZIP", rate(count, ours_gzip), "records/s", detail=f"{rate(megabytes, ours_gzip).figure:,.0f} MB/s; "
             f"{megabytes:.1f} MB become {sizes_mb['ours.gz']:.2f} MB, TensorFlow's {sizes_mb['usual.gz']:.2f} MB"),
    )  # fmt: skip
    about = f"{count} windows, {megabytes:.1f} MB of records, from arrays to a file."
    return Part(name="writer", title="Writer", about=about, lines=lines, agreements=(agreement,), times=raw(times))
