"""Working a container's partitions, one after the other in this process."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial

from batch_image.assignment import own_partitions, read_round
from batch_image.log import log
from batch_image.settings import Settings
from core.code_version import code_version
from core.errors import EXIT_DONE, BadRequestError
from core.run.case_cache import CacheUse, open_cache
from core.run.local import WorkloadFactory
from core.run.models import Place, RunRequest
from core.run.partition import count_partitions, read_partition
from core.run.plan_store import read_request
from core.run.source import open_source
from core.run.spot import InstanceMetadata, is_taken_away, read_place, watch_for_notice
from core.run.stop import StopRequest, stop_exit_code
from core.run.worker import PartitionWorker, ShardReport
from core.store import open_store


def work(settings: Settings, stop: StopRequest, build_workload: WorkloadFactory) -> int:
    """Work this container's partitions; returns the exit code.

    Raises
    ------
    BadRequestError
        ``code_mismatch``: the run was planned by other code; or there is no such run or output location.
    IntegrityError, TransientError, FatalError
        See :meth:`core.run.worker.PartitionWorker.run` and :func:`batch_image.assignment.read_round`.
    """
    place = _look_around(settings, stop)
    store = open_store(settings.output)
    request = read_request(store, settings.run_id)
    _check_code(request)
    of_run = count_partitions(store, request)
    partitions = own_partitions(settings, read_round(store, settings.run_id, settings.round, of_run))
    log(
        "started",
        run=settings.run_id,
        round=settings.round,
        partitions=list(partitions),
        index=settings.array_index,
        batch_attempt=settings.batch_attempt,
        **place.model_dump(exclude={"job_attempt"}),
    )
    if not partitions:
        log("finished", message="nothing to do: the array has more children than the round has partitions")
        return EXIT_DONE
    workload = build_workload(request.workload, request.configuration)
    source = open_source(request.source)
    cache = open_cache(CacheUse(settings.grid_cache) if settings.grid_cache else None)
    remark = ""
    for partition in partitions:
        worker = PartitionWorker(
            store,
            read_partition(store, request, partition),
            workload,
            source,
            partition,
            stop=stop,
            place=place,
            heartbeat_seconds=settings.heartbeat_seconds,
            on_shard=_log_shard,
            cache=cache,
        )
        report = worker.run()
        if report.remark != remark:
            log("remark", partition=partition, message=report.remark)
            remark = report.remark
        if report.why != "finished":
            log("stopped", partition=partition, why=report.why, shards=report.committed, cases=report.cases)
            return stop_exit_code(report.why)
        log("finished", partition=partition, shards=report.committed, cases=report.cases)
    return EXIT_DONE


def _look_around(settings: Settings, stop: StopRequest) -> Place:
    """What the instance says of itself; where it says anything, its spot notice is watched for."""
    metadata = InstanceMetadata(settings.metadata_endpoint)
    place = None if settings.metadata_disabled else read_place(metadata)
    if place is not None:
        watch_for_notice(metadata, stop, settings.notice_seconds)
        stop.is_taken_away = partial(is_taken_away, metadata)
    place = place or Place()
    return place.model_copy(
        update={
            "capacity": place.capacity or settings.capacity,
            "processors": settings.processors,
            # A container is held to its share by the scheduler, not by what it sees: this counts the whole instance.
            "host_processors": os.cpu_count(),
            "job": settings.job,
            "job_attempt": settings.batch_attempt,
        }
    )


def _check_code(request: RunRequest) -> None:
    """Content depends on the code (design, rule 1): a shard made by other code must not slip into a run."""
    planned, own = request.code_version, code_version()
    if planned != own:
        raise BadRequestError(
            "code_mismatch",
            f"the run was planned by code {planned}, this image holds {own}",
            where=f"run {request.run_id}",
            fix="Submit the job with the image of the planning code, or plan the run anew.",
        )


def _log_shard(report: ShardReport) -> None:
    log("shard_committed", **asdict(report))
