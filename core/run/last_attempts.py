"""How the last attempts at open partitions ended, and which partitions would end the same way again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from core.errors import EXIT_BAD_REQUEST, EXIT_BUG, EXIT_NOT_VERIFIED
from core.run.layout import RunLayout
from core.run.models import Attempt
from core.run.progress import READERS
from core.store import Store

LastAttempts = Mapping[int, tuple[Attempt, ...]]
"""Of each partition the last two attempts, the last one first."""

MOST_WORDS = 5


def read_last_attempts(store: Store, run_id: str, partitions: Sequence[int]) -> LastAttempts:
    """The last attempts at these partitions; those that cannot be read are left out."""
    layout = RunLayout(run_id)
    numbers: dict[int, list[int]] = {partition: [] for partition in partitions}
    for item in store.list(f"{layout.root}/attempts"):
        partition, _, number = item.key.removeprefix(f"{layout.root}/attempts/").removesuffix(".json").partition("/")
        if int(partition) in numbers:
            numbers[int(partition)].append(int(number))

    def read(partition: int) -> tuple[Attempt, ...]:
        keys = (layout.attempt(partition, number) for number in sorted(numbers[partition], reverse=True)[:2])
        return tuple(attempt for key in keys if (attempt := _read(store, key)) is not None)

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(partitions, pool.map(read, partitions), strict=True))


def is_hopeless(last: Sequence[Attempt]) -> bool:
    """Whether another attempt would end as the last one did: a request that cannot be met, or a bug for the second time
    (design, rule 5: a bug is retried once)."""
    codes = [attempt.exit_code for attempt in last]
    return codes[:1] in ([EXIT_BAD_REQUEST], [EXIT_NOT_VERIFIED]) or codes == [EXIT_BUG, EXIT_BUG]


def endings_text(attempts: Iterable[Sequence[Attempt]]) -> str:
    """How they ended, the most frequent first, without words that may quote data; empty for none.

    >>> endings_text([(), ()])
    '2 without an attempt that is known'
    """
    found = Counter(_ending(last) for last in attempts).most_common()
    shown = [f"{count:,} {ending}" for ending, count in found[:MOST_WORDS]]
    return ", ".join(shown + ["and others"] * (len(found) > MOST_WORDS))


def _ending(last: Sequence[Attempt]) -> str:
    if not last:
        return "without an attempt that is known"
    return f"{last[0].why} [{last[0].cause}]" if last[0].cause else last[0].why


def _read(store: Store, key: str) -> Attempt | None:
    try:
        return Attempt.model_validate_json(store.get(key))
    except (FileNotFoundError, ValidationError):
        return None
