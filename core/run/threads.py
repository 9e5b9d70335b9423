"""Threads of a worker: one process per core computes on one thread, whatever its libraries would start.

Linear algebra (OpenBLAS, OpenMP, MKL; Arrow goes by OpenMP's variable) and the object store's runtime start a thread
for each core in every process, which is cores × cores. They read these variables when they are first imported.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKIO_WORKER_THREADS")


def limit_threads(environ: MutableMapping[str, str]) -> list[str]:
    """Set what is not set; returns the variables that were."""
    own = [name for name in VARIABLES if name not in environ]
    environ.update(dict.fromkeys(own, "1"))
    return own


@contextmanager
def threads_limited(environ: MutableMapping[str, str]) -> Iterator[None]:
    """For processes that are started meanwhile; this one's variables are afterwards as they were."""
    own = limit_threads(environ)
    try:
        yield
    finally:
        for name in own:
            del environ[name]
