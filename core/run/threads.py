"""Threads of a worker: one process per core computes on one thread, whatever its libraries would start.

Linear algebra (OpenBLAS, OpenMP, MKL; Arrow goes by OpenMP's variable) and the object store's runtime start a thread
for each core in every process, which is cores × cores. They read these variables when they are first imported.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKIO_WORKER_THREADS")

PLUGINS_VARIABLE = "PYDANTIC_DISABLE_PLUGINS"
"""Looking for plugins, pydantic reads the metadata of every installed package: a tenth of a worker's start."""

_SETTINGS = {**dict.fromkeys(VARIABLES, "1"), PLUGINS_VARIABLE: "__all__"}


def limit_threads(environ: MutableMapping[str, str]) -> list[str]:
    """Set what is not set, and that pydantic looks for no plugins; returns the variables that were set."""
    own = [name for name in _SETTINGS if name not in environ]
    environ.update({name: _SETTINGS[name] for name in own})
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
