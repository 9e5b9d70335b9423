"""How a worker comes by its cases' results: from their objects, or from the case cache where it has their extracts.

Ahead of the case in hand, some threads look up what the cache has, if asking takes the network, so that no object is
downloaded whose extract is there. New extracts are written behind it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from core.errors import BugError, CasemillError
from core.run.case_cache import CaseCache, entry_digest
from core.run.prefetch import read_ahead
from core.run.process import guarded, process_case
from core.run.source import StoreSource
from core.workload import Case, CaseResult, Extract, ExtractingWorkload, Workload

LOOKUP_THREADS = 4
LOOKED_UP_AHEAD = 8
"""Cases, about 0.1 MB each; enough to hide two answers of S3 behind 20 ms of work a case."""

WRITES_BEHIND = 4
"""Extracts that wait to be written, 1 MB each, before the next case waits too."""

WRITTEN_WITHIN_SECONDS = 5.0
"""At the end of a shard; a storage that is slower loses the last extracts, and they are worked out again one day."""


class CaseReader(Protocol):
    """Where results come from; ``recalled`` counts the cases that came from the cache."""

    @property
    def recalled(self) -> int: ...

    def process(self, case: Case) -> CaseResult:
        """The case's result; errors as :func:`core.run.process.guarded`."""
        ...


@contextmanager
def open_reader(
    workload: Workload, source: StoreSource | None, cache: CaseCache | None, cases: Sequence[Case]
) -> Iterator[CaseReader]:
    """A reader of some cases; ``cases`` are those whose objects are needed, in the order in which they will be."""
    keys = [case.key for case in cases if case.key]
    if source is None or cache is None or not isinstance(workload, ExtractingWorkload):
        with read_ahead(source, keys) as ahead:
            yield PlainReader(workload, ahead)
        return
    lookups = Lookups(workload, source, cache, cases)
    with read_ahead(source, keys, needed=lookups.misses) as ahead:
        reader = CachedReader(workload, ahead or source, cache, lookups)
        try:
            yield reader
            reader.finish()
        finally:
            lookups.close()
            reader.close()


@dataclass(frozen=True)
class PlainReader:
    """Without a cache."""

    workload: Workload
    source: StoreSource | None

    @property
    def recalled(self) -> int:
        return 0

    def process(self, case: Case) -> CaseResult:
        return process_case(self.workload, case, self.source)


@dataclass(frozen=True)
class Lookup:
    """What the cache has for a case, and under which digest; no digest where the object cannot be identified."""

    digest: bytes | None = None
    fingerprint: str = ""
    content: bytes | None = None
    spoiled: bool = False


class Lookups:
    """Looks the cases up, each once: ahead where that takes the network, else when their turn comes.

    Used by two threads: the worker takes the lookups in the order of the cases, the download asks where they missed.
    """

    def __init__(
        self, workload: ExtractingWorkload[Any], source: StoreSource, cache: CaseCache, cases: Sequence[Case]
    ) -> None:
        self._workload, self._source, self._cache = workload, source, cache
        self._cases = tuple(cases)
        self._positions = {case.id: position for position, case in enumerate(self._cases)}
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._started: dict[int, Future[Lookup]] = {}
        self._next = 0
        remote = source.is_remote or cache.is_remote
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "casemill-lookup") if remote and cases else None
        self._start(LOOKED_UP_AHEAD)

    def take(self, case: Case) -> Lookup:
        """The lookup of a case."""
        position = self._positions.get(case.id)
        if position is None or self._threads is None:
            return self._look_up(case)
        self._start(position + 1 + LOOKED_UP_AHEAD)
        found = self._started[position].result()
        # The download may still ask whether it missed, but the content is not held any longer.
        self._started[position] = _done(replace(found, content=None if found.content is None else b""))
        return found

    def misses(self, position: int) -> bool:
        """Whether the case's object is needed; waits for the lookup. False once everything is closed."""
        with self._changed:
            self._changed.wait_for(lambda: position in self._started or self._closed.is_set())
            future = self._started.get(position)
        try:
            return future is not None and future.result().content is None
        except CancelledError:
            return False

    def close(self) -> None:
        """End the threads and what waits for them."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, end: int) -> None:
        if self._threads is None:
            return
        with self._changed:
            for position in range(self._next, min(end, len(self._cases))):
                self._started[position] = self._threads.submit(self._look_up, self._cases[position])
                self._next = position + 1
            self._changed.notify_all()

    def _look_up(self, case: Case) -> Lookup:
        fingerprint = fingerprint_of(self._source, case, self._closed) if self._cache.is_of_use else None
        if fingerprint is None:
            return Lookup()
        digest = entry_digest(self._workload, case, self._source, fingerprint)
        found = self._cache.find(digest, self._closed)
        return Lookup(digest, fingerprint, found.content, found.spoiled)


class CachedReader:
    """With a cache: every case's extract is recalled, or made and kept."""

    def __init__(
        self, workload: ExtractingWorkload[Any], source: StoreSource, cache: CaseCache, lookups: Lookups
    ) -> None:
        self._workload, self._source, self._cache, self._lookups = workload, source, cache, lookups
        self._closed = threading.Event()
        remote = source.is_remote or cache.is_remote
        self._writer = ThreadPoolExecutor(1, "casemill-keep") if remote else None
        self._writes: deque[Future[None]] = deque()
        self.recalled = 0

    def process(self, case: Case) -> CaseResult:
        if case.key is None:
            return process_case(self._workload, case, self._source)
        lookup = self._lookups.take(case)
        extract = self._recall(lookup)
        if extract is not None:
            self.recalled += 1
            return guarded(case, lambda: self._workload.examples(case, extract))
        return self._make(case, lookup)

    def finish(self) -> None:
        """Give what is not written yet a moment; a bug that came up there is raised here."""
        for future in wait(self._writes, WRITTEN_WITHIN_SECONDS).done:
            future.result()

    def close(self) -> None:
        """Let go of what is not written yet: it will be worked out afresh when it is needed."""
        self._closed.set()
        if self._writer is not None:
            self._writer.shutdown(wait=False, cancel_futures=True)

    def _recall(self, lookup: Lookup) -> Extract | None:
        if lookup.content is None:
            return None
        try:
            extract: Extract = self._workload.read_extract(lookup.content)
        except ValueError:
            return None
        return extract

    def _make(self, case: Case, lookup: Lookup) -> CaseResult:
        extracts: list[Extract] = []

        def work() -> CaseResult:
            extracts.append(self._workload.extract(case, self._source))
            return self._workload.examples(case, extracts[0])

        result = guarded(case, work)
        if extracts and lookup.digest is not None:
            self._keep_behind(case, lookup, extracts[0])
        return result

    def _keep_behind(self, case: Case, lookup: Lookup, extract: Extract) -> None:
        if self._writer is None:
            self._keep(case, lookup, extract)
            return
        while len(self._writes) >= WRITES_BEHIND or (self._writes and self._writes[0].done()):
            self._writes.popleft().result()
        self._writes.append(self._writer.submit(self._keep, case, lookup, extract))

    def _keep(self, case: Case, lookup: Lookup, extract: Extract) -> None:
        # An object that was replaced between its lookup and its reading would stand under the name of the earlier one.
        if lookup.digest is None or fingerprint_of(self._source, case, self._closed) != lookup.fingerprint:
            return
        # Whoever has an entry that was read and is not used has one that must go.
        replaced = lookup.spoiled or lookup.content is not None
        self._cache.keep(lookup.digest, extract.to_bytes(), replace=replaced)


def fingerprint_of(source: StoreSource, case: Case, stop: threading.Event) -> str | None:
    """The fingerprint of a case's object; None where it cannot be had: reading the object will tell why."""
    if case.key is None:
        return None
    try:
        return source.fingerprint(case.key, stop)
    except BugError:
        raise
    except CasemillError:
        return None


def _done(lookup: Lookup) -> Future[Lookup]:
    future: Future[Lookup] = Future()
    future.set_result(lookup)
    return future
