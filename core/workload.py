"""What the platform asks of a workload: the only thing that ``core.run`` knows of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import pydantic
from numpy.typing import NDArray

from core.errors import ContentError
from core.schema import Schema

Json = dict[str, Any]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Columns = Mapping[str, NDArray[np.float32] | NDArray[np.int64] | NDArray[np.uint8]]

STORED_ESTIMATE = "estimated_windows"
"""How plans call :attr:`Case.estimated_records` in the store and in their digest (design, "What a run writes"): a plan
that was stored by another version is read, and is still the one that was planned."""


class Outcome(str, Enum):
    """How a case ended (design, "Words")."""

    DONE = "done"
    EMPTY = "empty"
    FAILED = "failed"


@dataclass(frozen=True)
class Case:
    """One case as it was planned.

    ``number`` and ``group_number`` are the values that its records carry in the schema's case and group
    fields. ``key`` is the object's name in the source (``None``: not found there; empty: the case needs none), and
    ``size`` its bytes. By ``estimated_records`` planning weighs the case.
    ``attributes`` are the workload's own facts about the case, pinned at planning so that a run can be repeated.
    ``split`` is the case's side where the workload divides its records itself (:class:`SplittingWorkload`): then it is
    given for every case, else for none.
    """

    id: str
    number: int
    group: str
    group_number: int
    key: str | None
    size: int
    estimated_records: Annotated[int, pydantic.Field(alias=STORED_ESTIMATE)]
    attributes: Json = field(default_factory=dict)
    split: Split | None = None


MOST_SHARD_CASES = 50
"""Of one shard, where neither the user nor the workload says otherwise (design, "shard")."""


@dataclass(frozen=True)
class Cohort:
    """The selected cases in their canonical order, and what planning noticed about them.

    ``most_shard_cases``: how many of them make one object where the user does not say; more than usual where they are
    small.
    """

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    most_shard_cases: int = MOST_SHARD_CASES


@dataclass(frozen=True)
class CaseResult:
    """What became of one case.

    ``columns`` maps each schema field to an array whose first axis is the record (FLOAT: float32 [n, *shape];
    INT64: int64 [n, *shape]; BYTES: uint8 [n, *shape, bytes_length]); it is empty unless the outcome is
    ``done``. ``figures`` are the case's quality figures, plain JSON. ``histograms`` are counts that add up
    over cases. Neither is part of the content hash.
    """

    outcome: Outcome
    records: int = 0
    columns: Columns = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    flags: tuple[str, ...] = ()
    figures: Json = field(default_factory=dict)
    histograms: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @classmethod
    def failed(cls, error: ContentError) -> CaseResult:
        """A case that cannot be used."""
        return cls(Outcome.FAILED, reason=error.code, detail=error.detail)


class Source(Protocol):
    """Where the cases' objects are read from."""

    def list_objects(self) -> Sequence[tuple[str, int]]:
        """Every object as (key, bytes), sorted by key.

        Raises
        ------
        BadRequestError
            The folder does not exist or cannot be listed.
        """
        ...

    def read(self, key: str, piece_bytes: int = 256 * 1024) -> Iterator[bytes]:
        """One object in pieces, in order. Raises ``FileNotFoundError`` where it is gone."""
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes of an object from ``start``; fewer where it ends before. For tables that many cases share.

        Raises ``FileNotFoundError`` where it is gone."""
        ...


class Workload(Protocol):
    """What is done to one case.

    A workload is built from its name and its configuration alone, so that a worker in another process or on
    another machine builds the same one (:mod:`core.workloads.registry`).
    """

    @property
    def name(self) -> str:
        """The name that users choose it by."""
        ...

    @property
    def schema(self) -> Schema:
        """The example that this configuration writes."""
        ...

    def configuration(self) -> Json:
        """The resolved configuration, plain JSON; building the workload from it gives the same workload."""
        ...

    def cohort(self, source: Source | None, selection: Json) -> Cohort:
        """The cases that ``selection`` asks for, in canonical order, each once.

        Raises
        ------
        BadRequestError
            A malformed selection, an unreadable table, or no case at all.
        """
        ...

    def process(self, case: Case, source: Source | None) -> CaseResult:
        """Turn one case into examples.

        The result depends on the case, its objects and the configuration alone. What is wrong with
        them becomes a ``failed`` result; faults of the storage are raised.
        """
        ...

    def metadata(self, figures: Sequence[Json], histograms: Mapping[str, NDArray[np.int64]]) -> Json:
        """The content of ``preprocessing_metadata.json``: what a reader must know to use the numbers.

        ``figures`` are those of every case that was read; ``histograms`` are summed over all cases. Under the key
        ``quality`` a workload may give what ``casemill compare`` compares: ``histograms``, by feature the counts
        ``below``, ``bins`` (of equal width from ``minimum`` to ``maximum``) and ``above`` and the ``unit``; and
        ``features``, by feature any shares and counts, ``cases_with_signal`` among them.
        """
        ...

    def card(self) -> str:
        """The workload's part of ``dataset_card.md``: what one example is, Markdown with headings of level 2."""
        ...


@dataclass(frozen=True)
class Licence:
    """The terms of the data that a data set was made from.

    ``name`` is for people; ``url`` is where its text stands, ``spdx`` its SPDX identifier; empty where there is none.
    """

    name: str
    url: str = ""
    spdx: str = ""


@dataclass(frozen=True)
class DataSetFacts:
    """What a workload may know of a data set that is about to be published.

    ``source`` is the location that the cases' objects were read from, ``selection`` what was asked of it. ``cases`` are
    those that gave examples, in the order of the plan. ``metadata`` is the content of ``preprocessing_metadata.json``.
    """

    source: str | None
    selection: Json
    cases: Sequence[Case]
    metadata: Json


@dataclass(frozen=True)
class Description:
    """A data set in its workload's words, for ``dataset_card.md`` and ``croissant.json``; texts are Markdown.

    ``summary`` is one sentence. ``licence`` is that of the source, None where the source does not tell it; a user's
    statement has the right of way. ``limits`` are sentences about what the data cannot serve for, with the figures of
    this data set; ``quality`` holds tables. ``citations`` are plain text. ``keywords`` and ``task_categories`` are
    those of the Hugging Face hub. Nothing in here may tell of single persons (:mod:`core.small_cells`).
    """

    summary: str
    purpose: str
    source: str
    licence: Licence | None = None
    limits: tuple[str, ...] = ()
    quality: str = ""
    citations: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    task_categories: tuple[str, ...] = ()


@runtime_checkable
class DescribedWorkload(Workload, Protocol):
    """A workload that has more to say of a data set than how one example is built.

    A workload is free to be no more than a :class:`Workload`: the card then says what the platform knows.
    """

    def describe(self, facts: DataSetFacts) -> Description:
        """Purpose, source, licence, known limits and biases of this very data set; the same facts give the same."""
        ...


@runtime_checkable
class SelectingWorkload(Workload, Protocol):
    """A workload whose selection names other places than the source, or can be narrowed to single cases."""

    def locations(self, selection: Json) -> Mapping[str, str]:
        """The locations that the selection names, by the name that they have in it. The cloud reads buckets only."""
        ...

    def narrowed(self, selection: Json, numbers: Sequence[int]) -> Json:
        """The selection of the cases with these numbers alone, by which failed ones are sent through again."""
        ...


class Extract(Protocol):
    """What a workload took from a case's objects: all that its examples need of them, and much smaller."""

    def to_bytes(self) -> bytes:
        """The form in which it is kept; reading that gives the same, to the bit."""
        ...


Extracted = TypeVar("Extracted", bound=Extract)


@runtime_checkable
class ExtractingWorkload(Workload, Protocol[Extracted]):
    """A workload that works a case in two steps, the first of which can be kept for other runs.

    A workload is free to be no more than a :class:`Workload`. For one of this kind,
    ``process(case, source)`` gives what ``examples(case, extract(case, source))`` gives.
    """

    def extract_depends_on(self, case: Case) -> Json:
        """Everything that :meth:`extract` depends on beside the case's object: settings, code, attributes of the case.

        What is left out must make no difference to the extract: it is kept under a digest of this and of the object's
        name and version, and is used again wherever these are the same.
        """
        ...

    def extract(self, case: Case, source: Source) -> Extracted:
        """The first step: from the case's object to its extract.

        What the object's content decides for good, such as that it is damaged, stands in the extract. What is raised
        is never kept.

        Raises
        ------
        ContentError
            What may change without the object, such as that it is gone; its code is the case's reason.
        """
        ...

    def read_extract(self, data: bytes) -> Extracted:
        """The inverse of :meth:`Extract.to_bytes`. Sizes in the data are not trusted.

        Raises
        ------
        ValueError
            These bytes are no extract of this workload.
        """
        ...

    def examples(self, case: Case, extract: Extracted) -> CaseResult:
        """The second step."""
        ...
