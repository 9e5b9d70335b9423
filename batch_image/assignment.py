"""Which partitions a container works: by round and array index on AWS Batch, by host on SageMaker."""

from __future__ import annotations

from pydantic import ValidationError

from batch_image.settings import Settings
from core.errors import IntegrityError
from core.run.layout import RunLayout
from core.run.models import RoundPlan
from core.store import Store


def read_round(store: Store, run_id: str, number: int, partitions: int) -> tuple[int, ...]:
    """The partitions of a round in the order of the array index; all of them where the round has no list.

    Raises
    ------
    IntegrityError
        ``round_damaged``: the list cannot be read, or names a partition that the run does not have.
    """
    key = RunLayout(run_id).round_plan(number)
    try:
        found = RoundPlan.model_validate_json(store.get(key)).partitions
    except FileNotFoundError:
        return tuple(range(partitions))
    except ValidationError as error:
        raise _damaged(key, "not a list of partitions") from error
    if any(partition >= partitions for partition in found):
        raise _damaged(key, f"names a partition beyond the run's {partitions}")
    return found


def own_partitions(settings: Settings, of_round: tuple[int, ...]) -> tuple[int, ...]:
    """This container's share of a round; empty for an array index beyond it.

    A job that is no array is index 0. On SageMaker each host takes every n-th partition.
    """
    if settings.array_index is None and settings.hosts and settings.current_host:
        return of_round[settings.hosts.index(settings.current_host) :: len(settings.hosts)]
    index = settings.array_index or 0
    return of_round[index : index + 1]


def _damaged(key: str, what: str) -> IntegrityError:
    return IntegrityError("round_damaged", what, where=key, fix="Write the round's list anew and submit it again.")
