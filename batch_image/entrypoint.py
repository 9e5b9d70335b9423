"""The container's entry point: ``python -m batch_image.entrypoint`` (environment and exit codes: README.md).

Signals are listened to before anything large is imported, so that none is lost.
"""

from __future__ import annotations

import os
import sys

from batch_image.log import log, places
from core.errors import EXIT_BAD_REQUEST, EXIT_BUG, EXIT_BUG_AGAIN, EXIT_NOT_VERIFIED, CasemillError
from core.faults import classify
from core.run.stop import StopRequest, end_at_the_latest
from core.run.threads import limit_threads


def main() -> int:
    """Work as the environment says; returns the exit code."""
    stop = StopRequest()
    stop.listen()
    end_at_the_latest(stop)
    limit_threads(os.environ)
    return for_batch(guarded(stop), os.environ.get("AWS_BATCH_JOB_ATTEMPT", ""))


def for_batch(code: int, attempt: str) -> int:
    """The exit code at this attempt of the job: Batch's rules would retry a bug as often as they retry a lost machine,
    so that a repetition ends with a code that none of them retries.

    >>> for_batch(70, "1"), for_batch(70, "2"), for_batch(75, "2"), for_batch(70, "")
    (70, 71, 75, 70)
    """
    return EXIT_BUG_AGAIN if code == EXIT_BUG and attempt not in ("", "1") else code


def guarded(stop: StopRequest) -> int:
    """Work; every error becomes one line of the log and an exit code of the design (rule 5)."""
    try:
        from batch_image.settings import BadEnvironmentError, read_settings
        from batch_image.work import work
        from core.run.memory import keep_freed_memory
        from core.workloads.registry import build_workload

        keep_freed_memory()

        try:
            settings = read_settings(os.environ)
        except BadEnvironmentError as error:
            for problem in error.problems:
                log("error", code="bad_environment", message=problem)
            return EXIT_BAD_REQUEST
        return work(settings, stop, build_workload)
    except CasemillError as error:
        return _told(error)
    except (MemoryError, OSError) as error:
        return _told(classify(error).error)
    except Exception as error:  # noqa: BLE001  whatever it is, the exit code must be one that Batch's rules know
        log("error", code="bug", message=type(error).__name__, places=places(error.__traceback__))
        return EXIT_BUG


def _told(error: CasemillError) -> int:
    log("error", code=error.code, message=str(error))
    # Stored data that contradicts itself does so at the next attempt too.
    return EXIT_BAD_REQUEST if error.exit_code == EXIT_NOT_VERIFIED else error.exit_code


if __name__ == "__main__":
    sys.exit(main())
