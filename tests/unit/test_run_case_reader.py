"""Working cases through the cache: what it recalls is what reading gives, whatever happens to its entries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ContentError, TransientError
from core.run.case_cache import CaseCache, entry_digest, write_entry
from core.run.case_reader import CaseReader, open_reader
from core.run.source import StoreSource
from core.store import Store, open_store
from core.workload import Case, CaseResult, Outcome, Source
from tests.broken_store import BrokenStore
from tests.toy_workload import ToyWorkload


class Text:
    """The extract of :class:`TextWorkload`."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def to_bytes(self) -> bytes:
        return b"text:" + self.text


class TextWorkload(ToyWorkload):
    """A case's value is the length of its object; keeps count of what was read."""

    def __init__(self) -> None:
        super().__init__({"windows": 1})
        self.extracted: list[str] = []
        self.on_extract: Callable[[Case], None] = lambda case: None
        self.setting = 1

    def process(self, case: Case, source: Source | None) -> CaseResult:
        assert source is not None
        return self.examples(case, self.extract(case, source))

    def extract_depends_on(self, case: Case) -> dict[str, Any]:
        return {"setting": self.setting}

    def extract(self, case: Case, source: Source) -> Text:
        self.extracted.append(case.id)
        assert case.key is not None
        text = b"".join(source.read(case.key))
        self.on_extract(case)
        return Text(text)

    def read_extract(self, data: bytes) -> Text:
        if not data.startswith(b"text:"):
            raise ValueError("no text")
        return Text(data[5:])

    def examples(self, case: Case, extract: Text) -> CaseResult:
        if extract.text == b"break":
            raise ZeroDivisionError
        return CaseResult(Outcome.EMPTY, figures={"length": len(extract.text)})


class RemoteSource(StoreSource):
    """A folder that counts as far away, so that threads work ahead; counts what is downloaded and asked."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.downloads: list[str] = []

    @property
    def is_remote(self) -> bool:
        return True

    def download(self, key: str, stop: threading.Event) -> Iterator[bytes]:
        self.downloads.append(key)
        return super().download(key, stop)


class Lab:
    """Twelve objects in a folder, a cache in another."""

    def __init__(self, folder: Path, remote: bool) -> None:
        self.objects = folder / "objects"
        self.objects.mkdir()
        for number in range(1, 13):
            (self.objects / f"{number:04d}.toy").write_bytes(b"x" * number)
        self.cache = CaseCache(open_store(folder / "cache", create=True))
        self.cache_folder = folder / "cache"
        self.remote = remote
        self.workload = TextWorkload()
        self.workload.settings["cases"] = 12
        self.cases = self.workload.cohort(None, {}).cases
        self.source = self.open_source()

    def open_source(self) -> StoreSource:
        store = open_store(self.objects)
        return RemoteSource(store) if self.remote else StoreSource(store)

    def run(self, on_case: Callable[[Case], None] = lambda case: None) -> tuple[list[CaseResult], CaseReader]:
        self.workload.extracted.clear()
        self.source = self.open_source()
        results = []
        with open_reader(self.workload, self.source, self.cache, self.cases) as reader:
            for case in self.cases:
                on_case(case)
                results.append(reader.process(case))
        return results, reader

    def entries(self) -> list[Path]:
        return sorted(path for path in self.cache_folder.rglob("*") if path.is_file())


@pytest.fixture(params=[False, True], ids=["near", "far"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    yield Lab(tmp_path, request.param)
    deadline = time.monotonic() + 30
    while any(thread.name.startswith("casemill-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread is left"
        time.sleep(0.005)


def lengths(results: list[CaseResult]) -> list[int]:
    return [result.figures["length"] for result in results]


def test_cold_and_warm_are_the_same_and_warm_reads_nothing(lab: Lab) -> None:
    cold, reader = lab.run()
    assert (lengths(cold), reader.recalled, len(lab.workload.extracted)) == (list(range(1, 13)), 0, 12)
    assert lab.source.bytes_read == sum(range(1, 13))
    warm, reader = lab.run()
    assert warm == cold
    assert (reader.recalled, lab.workload.extracted, lab.source.bytes_read) == (12, [], 0)
    if isinstance(lab.source, RemoteSource):
        assert lab.source.downloads == []


def test_only_what_is_missing_is_downloaded(lab: Lab) -> None:
    cold, _ = lab.run()
    for path in lab.entries()[::3]:
        path.unlink()
    warm, reader = lab.run()
    assert (warm, reader.recalled, len(lab.workload.extracted)) == (cold, 8, 4)
    if isinstance(lab.source, RemoteSource):
        assert sorted(lab.source.downloads) == [f"{name}.toy" for name in lab.workload.extracted]
    assert lab.run()[1].recalled == 12


def test_spoiled_entries_and_foreign_extracts_are_replaced(lab: Lab) -> None:
    cold, _ = lab.run()
    entries = lab.entries()
    entries[0].write_bytes(b"")
    entries[1].write_bytes(entries[2].read_bytes())
    # Sound in itself, but not what this workload keeps.
    entries[3].write_bytes(write_entry(bytes.fromhex(entries[3].name), b"picture"))
    warm, reader = lab.run()
    assert (warm, reader.recalled) == (cold, 9)
    assert lab.run()[1].recalled == 12


def test_a_changed_object_or_setting_is_another_entry(lab: Lab) -> None:
    lab.run()
    (lab.objects / "0003.toy").write_bytes(b"y" * 99)
    results, reader = lab.run()
    assert (reader.recalled, results[2].figures["length"]) == (11, 99)
    lab.workload.setting = 2
    assert lab.run()[1].recalled == 0
    assert len(lab.entries()) == 25


def test_an_object_that_changes_while_it_is_read_is_not_kept(lab: Lab) -> None:
    lab.workload.on_extract = lambda case: (lab.objects / f"{case.id}.toy").write_bytes(b"other") and None
    lab.run()
    assert lab.entries() == []


def test_what_is_raised_is_not_kept_and_what_examples_break_on_is_the_cases_own(lab: Lab) -> None:
    def gone(case: Case) -> None:
        if case.number == 5:
            raise ContentError("not_found", "gone since planning")

    lab.workload.on_extract = gone
    (lab.objects / "0007.toy").write_bytes(b"break")
    cold, _ = lab.run()
    assert (cold[4].outcome, cold[4].reason, cold[4].detail) == (Outcome.FAILED, "not_found", "gone since planning")
    assert (cold[6].outcome, cold[6].reason) == (Outcome.FAILED, "internal")
    assert len(lab.entries()) == 11
    warm, reader = lab.run()
    assert (warm, reader.recalled, lab.workload.extracted) == (cold, 11, ["0005"])


def test_an_object_that_is_not_there_is_the_workloads_affair(lab: Lab) -> None:
    (lab.objects / "0002.toy").unlink()
    with pytest.raises(TransientError):
        lab.run()


def test_the_cache_fails_in_the_middle_and_the_work_goes_on(lab: Lab) -> None:
    cold, _ = lab.run()
    broken = BrokenStore(open_store(lab.cache_folder), TransientError("storage", "gone"), ())

    def break_it(case: Case) -> None:
        if case.number == 2:
            broken.stream = broken.fail("stream", TransientError("storage", "gone"))  # type: ignore[method-assign]

    lab.cache = CaseCache(broken)
    warm, reader = lab.run(break_it)
    assert warm == cold
    assert 1 <= reader.recalled <= 10
    assert "gone" in lab.cache.trouble


def test_a_bug_in_the_cache_stops_the_work(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError

    for name in ("find", "keep"):
        with monkeypatch.context() as patch:
            patch.setattr(lab.cache, name, broken)
            with pytest.raises(ZeroDivisionError):
                lab.run()


def test_leaving_early_lets_every_thread_end(lab: Lab) -> None:
    with open_reader(lab.workload, lab.open_source(), lab.cache, lab.cases) as reader:
        reader.process(lab.cases[0])

    def interrupt(case: Case) -> None:
        if case.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.run(interrupt)


def test_the_digest_is_over_the_object_its_place_and_its_version(tmp_path: Path) -> None:
    workload, here, there = TextWorkload(), open_store(tmp_path), open_store(tmp_path / "other", create=True)
    one, two = Case("1", 1, "1", 1, "1.toy", 5, 1), Case("1", 1, "1", 1, "2.toy", 5, 1)
    digests = {
        entry_digest(workload, one, StoreSource(here), "v1"),
        entry_digest(workload, one, StoreSource(here), "v2"),
        entry_digest(workload, two, StoreSource(here), "v1"),
        entry_digest(workload, one, StoreSource(there), "v1"),
    }
    assert len(digests) == 4
    renamed = Case("another id", 7, "g", 3, "1.toy", 5, 99, {"row": {"age": "3"}})
    assert entry_digest(workload, renamed, StoreSource(here), "v1") in digests


def test_toy_without_extracts_is_worked_as_ever(tmp_path: Path) -> None:
    toy = ToyWorkload({"cases": 2})
    cache = CaseCache(open_store(tmp_path))
    with open_reader(toy, None, cache, toy.cohort(None, {}).cases) as reader:
        result = reader.process(toy.cohort(None, {}).cases[0])
    assert (result.records, reader.recalled) == (6, 0)
    assert np.isfinite(result.columns["values"]).all()
    assert list(tmp_path.iterdir()) == []
