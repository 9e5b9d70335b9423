"""Where the open VitalDB data set can be had, and under which licence: it differs by door."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.workload import Licence

PAPER = (
    "Lee HC, Park Y, Yoon SB, Yang SM, Park D, Jung CW. VitalDB, a high-fidelity multi-parameter vital signs database"
    " in surgical patients. Scientific Data 9, 279 (2022). https://doi.org/10.1038/s41597-022-01411-5"
)


@dataclass(frozen=True)
class Door:
    """A place that offers the open data set; ``pattern`` matches its locations, texts are Markdown."""

    pattern: str
    source: str
    licence: Licence
    citations: tuple[str, ...]


DOORS: tuple[Door, ...] = (
    Door(
        pattern=r"(s3://physionet-open|https://physionet-open\.s3(\.[a-z0-9-]+)?\.amazonaws\.com"
        r"|https://(www\.)?physionet\.org/(files|content))/vitaldb(/.*)?",
        source="The open VitalDB data set, version 1.0.0, as PhysioNet offers it (doi:10.13026/czw8-9p62).",
        licence=Licence("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        citations=(
            PAPER,
            "Lee H, Jung C. VitalDB, a high-fidelity multi-parameter vital signs database in surgical patients (version"
            " 1.0.0). PhysioNet (2022). https://doi.org/10.13026/czw8-9p62",
        ),
    ),
    Door(
        pattern=r"https?://([a-z0-9-]+\.)*vitaldb\.net(/.*)?",
        source="The open VitalDB data set, as the site's own interface offers it (vitaldb.net), whose data use"
        " agreement binds everybody who uses it.",
        licence=Licence("CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        citations=(PAPER,),
    ),
)


def door_of(location: str | None) -> Door | None:
    """The door that a source's location stands for; None where it could be any, such as a folder.

    >>> door_of("s3://physionet-open/vitaldb/1.0.0/vital_files").licence.name
    'CC BY 4.0'
    >>> door_of("/data/vital_files") is None
    True
    """
    return next((door for door in DOORS if location and re.fullmatch(door.pattern, location)), None)
