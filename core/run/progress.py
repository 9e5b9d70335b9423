"""How far a run is, from the plan, the heartbeats and the commit records; the same locally and in the cloud."""

from __future__ import annotations

from pydantic import ValidationError

from core.run.layout import RunLayout
from core.run.models import Document, Heartbeat
from core.run.plan import Plan
from core.store import Store


class Progress(Document):
    """Counts over all partitions. ``seconds`` since the run was started here; ``left_seconds`` is a projection."""

    run_id: str
    cases_planned: int
    cases_done: int
    cases_empty: int
    cases_failed: int
    records: int
    bytes_in: int
    shards_planned: int
    shards_committed: int
    attempts: int

    @property
    def cases_finished(self) -> int:
        """Cases with an outcome."""
        return self.cases_done + self.cases_empty + self.cases_failed

    @property
    def share(self) -> float:
        """Finished over planned cases."""
        return self.cases_finished / self.cases_planned if self.cases_planned else 0.0


def read_progress(store: Store, plan: Plan) -> Progress:
    """Add up the heartbeats; cases that only an earlier attempt's commit records know count as done."""
    layout = RunLayout(plan.request.run_id)
    heartbeats = _heartbeats(store, layout)
    committed = {item.key.rpartition("/")[2].removesuffix(".json") for item in store.list(layout.commits)}
    finished_elsewhere = 0
    for partition in range(plan.shards.partitions):
        shards = plan.shards_of(partition)
        beat = heartbeats.get(partition)
        counted = beat.cases_done + beat.cases_empty + beat.cases_failed if beat else 0
        in_records = sum(shard.cases for shard in shards if shard.shard in committed)
        finished_elsewhere += max(0, in_records - counted)
    beats = heartbeats.values()
    return Progress(
        run_id=plan.request.run_id,
        cases_planned=len(plan.cases),
        cases_done=sum(beat.cases_done for beat in beats) + finished_elsewhere,
        cases_empty=sum(beat.cases_empty for beat in beats),
        cases_failed=sum(beat.cases_failed for beat in beats),
        records=sum(beat.records for beat in beats),
        bytes_in=sum(beat.bytes_in for beat in beats),
        shards_planned=len(plan.shards.shards),
        shards_committed=len(committed),
        attempts=sum(beat.attempt for beat in beats),
    )


def _heartbeats(store: Store, layout: RunLayout) -> dict[int, Heartbeat]:
    found = {}
    for item in store.list(layout.progress):
        try:
            beat = Heartbeat.model_validate_json(store.get(item.key))
        except (FileNotFoundError, ValidationError):
            continue  # just being written by its worker; the next look will find it
        found[beat.partition] = beat
    return found


def progress_text(progress: Progress, seconds: float) -> str:
    """``PROGRESS.txt``: a few lines for people who look into the folder."""
    rate = progress.cases_finished / seconds if seconds > 0 else 0.0
    left = progress.cases_planned - progress.cases_finished
    remaining = f"{left / rate:.0f} s" if rate > 0 else "unknown"
    return (
        f"run        {progress.run_id}\n"
        f"progress   {progress.share:.1%}\n"
        f"cases      {progress.cases_finished} of {progress.cases_planned}: {progress.cases_done} done, "
        f"{progress.cases_empty} empty, {progress.cases_failed} failed, {left} left\n"
        f"windows    {progress.records}\n"
        f"shards     {progress.shards_committed} of {progress.shards_planned} committed\n"
        f"rate       {rate:.2f} cases/s, {progress.records / seconds if seconds > 0 else 0:.0f} windows/s\n"
        f"time left  {remaining}\n"
    )
