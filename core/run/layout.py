"""Where everything of a run and a data set stands, relative to the output location (design, "What a run writes")."""

from __future__ import annotations

from dataclasses import dataclass

from core.examples.members import Compression
from core.run.models import SPLITS


@dataclass(frozen=True)
class RunLayout:
    """Keys below ``runs/<run_id>/``."""

    run_id: str

    @property
    def root(self) -> str:
        return f"runs/{self.run_id}"

    @property
    def request(self) -> str:
        return f"{self.root}/run.json"

    @property
    def asked(self) -> str:
        return f"{self.root}/asked.json"

    @property
    def pins(self) -> str:
        return f"{self.root}/cloud.json"

    @property
    def cases(self) -> str:
        return f"{self.root}/plan/cases.parquet"

    @property
    def shards(self) -> str:
        return f"{self.root}/plan/shards.json"

    @property
    def source_tags(self) -> str:
        return f"{self.root}/plan/source.json"

    def partition(self, number: int) -> str:
        return f"{self.root}/plan/partitions/{number:05d}.json"

    @property
    def commits(self) -> str:
        return f"{self.root}/shards"

    @property
    def rounds(self) -> str:
        return f"{self.root}/rounds"

    def round_plan(self, number: int) -> str:
        return f"{self.rounds}/{number}.json"

    def begun(self, execution: str) -> str:
        """The folder of marks of the rounds that an execution began."""
        return f"{self.root}/begun/{execution}"

    def round_begun(self, execution: str, number: int) -> str:
        return f"{self.begun(execution)}/{number}"

    @property
    def progress(self) -> str:
        return f"{self.root}/progress"

    @property
    def progress_text(self) -> str:
        return f"{self.root}/PROGRESS.txt"

    @property
    def estimate(self) -> str:
        return f"{self.root}/estimate.json"

    @property
    def verification(self) -> str:
        return f"{self.root}/verification.json"

    @property
    def findings(self) -> str:
        return f"{self.root}/verification"

    def group_findings(self, group: int) -> str:
        return f"{self.findings}/{group}.json"

    @property
    def report(self) -> str:
        return f"{self.root}/report.txt"

    @property
    def report_document(self) -> str:
        """The same for programs."""
        return f"{self.root}/report.json"

    @property
    def report_page(self) -> str:
        return f"{self.root}/report.html"

    def execution(self, name: str) -> str:
        return f"{self.root}/executions/{name}.json"

    def execution_report(self, name: str) -> str:
        return f"{self.root}/executions/{name}.txt"

    def notice_sent(self, name: str) -> str:
        return f"{self.root}/executions/{name}.sent"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/quarantine.jsonl"

    @property
    def quarantine_sent(self) -> str:
        """The mark that the failed cases were sent to the queue."""
        return f"{self.root}/quarantine_sent"

    @property
    def cost(self) -> str:
        return f"{self.root}/cost.json"

    def commit(self, shard: str) -> str:
        return f"{self.commits}/{shard}.json"

    def segments(self, shard: str) -> str:
        return f"{self.root}/staging/{shard}"

    def segment(self, shard: str, number: int) -> str:
        return f"{self.segments(shard)}/{number:05d}.seg"

    def attempts(self, partition: int) -> str:
        return f"{self.root}/attempts/{partition:05d}"

    def attempt(self, partition: int, number: int) -> str:
        return f"{self.attempts(partition)}/{number}.json"

    def heartbeat(self, partition: int) -> str:
        return f"{self.progress}/{partition:05d}.json"


@dataclass(frozen=True)
class DataSetLayout:
    """Keys of a data set; ``root`` is ``datasets/<name>`` in an output location, or empty inside the data set."""

    root: str

    @classmethod
    def named(cls, name: str) -> DataSetLayout:
        """The layout of a data set within an output location."""
        return cls(f"datasets/{name}")

    def key(self, path: str) -> str:
        """The key of a path that the manifest gives."""
        return f"{self.root}/{path}" if self.root else path

    @property
    def manifest(self) -> str:
        return self.key("manifest.json")

    @property
    def split(self) -> str:
        return self.key("split.json")

    @property
    def metadata(self) -> str:
        return self.key("preprocessing_metadata.json")

    @property
    def card(self) -> str:
        return self.key("dataset_card.md")

    @property
    def croissant(self) -> str:
        return self.key("croissant.json")

    @property
    def owner(self) -> str:
        return self.key("run_id")

    @property
    def success(self) -> str:
        return self.key("_SUCCESS")


def shard_path(shard: str, split: str, compression: Compression) -> str:
    """A shard object's path inside its data set.

    >>> shard_path("train-00012", "train", Compression.GZIP)
    'train/train-00012.tfrecord.gz'
    """
    return f"{split}/{shard}{compression.suffix}"


def shard_name(split: str, number: int) -> str:
    """``train-00012``."""
    return f"{split}-{number:05d}"


def shard_order(shard: str) -> tuple[int, int]:
    """Sorts shards as the root hash takes them: train, validation, test, then by number."""
    split, _, number = shard.rpartition("-")
    return [*SPLITS].index(split), int(number)  # type: ignore[arg-type]  # an unknown split is a ValueError
