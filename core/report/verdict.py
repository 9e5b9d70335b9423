"""Did it work, and how do we know."""

from __future__ import annotations

from core.report.documents import RunDocuments
from core.report.model import CheckLine, Verdict
from core.run.models import Verification
from core.run.report import MEANING, TO_DO, Ending

CHECK_MEANINGS: dict[str, str] = {
    "shard objects": "Every file of the data set is there, and no other",
    "checksums": "Each file has, byte for byte, the recorded size and SHA-256",
    "records": "Every example can be read, is whole by its own checksum, and they are as many as recorded",
    "content hash": "The examples are those that were committed",
    "values": "Every field has its shape, and every value lies in its range",
    "provenance": "Every example says whose it is, and is nobody else's and no duplicate",
    "root hash": "The data set's identity follows from what is there",
    "cases": "Every planned case has exactly one outcome",
    "counts": "All sums add up",
    "split": "Nobody stands on two sides of the split",
    "shares": "Training, validation and test have about 70, 15 and 15 % of the examples",
    "success rate": "Enough of the planned cases could be used",
    "examples": "There is something to learn from",
    "seal": "The data set's documents are unchanged since it was verified",
}


def check_lines(verification: Verification | None) -> tuple[CheckLine, ...]:
    """The verification's checks, those that failed first."""
    if verification is None:
        return ()
    lines = [
        CheckLine(check.name, CHECK_MEANINGS.get(check.name, ""), check.passed, check.detail, check.problems)
        for check in verification.checks
    ]
    return tuple(sorted(lines, key=lambda line: line.passed))


def verdict_of(documents: RunDocuments) -> Verdict:
    """The verdict; only ``_SUCCESS`` of this run, for what was verified, makes it ``verified``."""
    verification, success = documents.verification, documents.success
    problems = tuple(documents.problems)
    own = success if success and success.run_id == documents.request.run_id else None
    if verification and verification.passed and own and own.root_hash == verification.root_hash:
        count = len(verification.checks)
        return Verdict(
            "verified",
            "Verified",
            f"All {count} checks hold. Every planned case has one outcome, every record was read back from the store,"
            f" and the data set {documents.request.data_set} is published.",
            problems=problems,
        )
    if verification and verification.passed:
        return Verdict(
            "failed",
            "No longer verified",
            "The checks held once, but the data set has no _SUCCESS of this run any more. Nobody vouches for it.",
            "Run the same command again: it verifies anew.",
            problems,
        )
    if documents.report and documents.report.failed and not (verification and _all_committed(documents)):
        report = documents.report
        sentence = f"{report.detail}. {MEANING[report.ending]}" if report.detail else MEANING[report.ending]
        return Verdict(
            "failed" if report.ending == "verification failed" else "unfinished",
            report.ending.capitalize(),
            sentence,
            TO_DO[report.ending],
            tuple(dict.fromkeys((*report.problems, *problems))),
        )
    if verification:
        return _not_verified(verification, problems)
    return _unfinished(documents, problems)


def _not_verified(verification: Verification, problems: tuple[str, ...]) -> Verdict:
    failed = [check for check in verification.checks if not check.passed]
    alone = [check.name for check in failed] == ["success rate"]
    ending: Ending = "quarantine above threshold" if alone else "verification failed"
    lines = tuple(f"{check.name}: {check.detail}" for check in failed)
    return Verdict(
        "failed",
        "Not verified",
        f"{len(failed)} of {len(verification.checks)} checks failed. {MEANING[ending]}",
        TO_DO[ending],
        (*lines, *problems),
    )


def _unfinished(documents: RunDocuments, problems: tuple[str, ...]) -> Verdict:
    planned = documents.planned
    committed = len(documents.shards)
    if planned and committed >= len(planned.shards):
        return Verdict(
            "unfinished",
            "Worked, not verified",
            f"All {committed:,} shards are committed, but nobody has verified them. No data set is published.",
            "Run the same command again: it verifies what is there.",
            problems,
        )
    total = f"{len(planned.shards):,}" if planned else "an unknown number of"
    ends = sorted({attempt.why for attempt in documents.attempts if attempt.why != "finished"})
    ended = f" Attempts ended as: {', '.join(ends)}." if ends else ""
    return Verdict(
        "unfinished",
        "Not finished",
        f"{committed:,} of {total} shards are committed.{ended} What is committed stays. No data set is published.",
        "Run the same command again: only what is missing is done.",
        problems,
    )


def _all_committed(documents: RunDocuments) -> bool:
    return documents.planned is not None and len(documents.shards) >= len(documents.planned.shards)
