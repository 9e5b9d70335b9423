"""What ``--workload vitaldb`` takes on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from core.errors import BadRequestError
from core.workload_options import Json, given_of, lasting_location

PROFILE_HELP = "Device profile: auto, vitaldb, draeger, intellivue, or a .toml file."
_SELECTION = ("clinical", "cases", "where")


@dataclass(frozen=True)
class Options:
    """Selection and settings of the workload; the defaults are those of its configuration."""

    reads: ClassVar[str] = "recordings (NNNN.vital, .csv, .parquet)"

    clinical: Annotated[
        str | None, typer.Option(help="Clinical table, CSV or Parquet, one row a case.", metavar="LOCATION")
    ] = None
    cases: Annotated[
        str | None,
        typer.Option(help="Which cases: 1-3000, 1,5,10, 1-10,17,0022 or all.", show_default="all", metavar="CASES"),
    ] = None
    where: Annotated[
        str | None,
        typer.Option(help='SQL condition over the clinical table, e.g. "age >= 18 and asa <= 3".', metavar="SQL"),
    ] = None
    profile: Annotated[str | None, typer.Option(help=PROFILE_HELP, show_default="auto", metavar="NAME")] = None
    window_s: Annotated[
        int | None, typer.Option(help="Window length in seconds.", show_default="300", metavar="SECONDS")
    ] = None
    step_s: Annotated[
        int | None, typer.Option(help="Seconds from one window to the next.", show_default="30", metavar="SECONDS")
    ] = None
    horizon_s: Annotated[
        int | None,
        typer.Option(help="Seconds from a window's last second to its target.", show_default="30", metavar="SECONDS"),
    ] = None
    concentration: Annotated[
        list[str] | None,
        typer.Option(
            help="Syringe content by pump track, e.g. Orchestra/NEPI_RATE=40 (mg/mL or µg/mL). Repeatable.",
            metavar="TRACK=N",
        ),
    ] = None

    def settings(self) -> Json:
        """Errors: ``bad_setting`` for a content that is no number."""
        given = {name: value for name, value in given_of(self).items() if name not in _SELECTION}
        if "profile" in given:
            given["profiles"] = given.pop("profile")
        if "concentration" in given:
            given["concentrations"] = dict(_concentration(text) for text in given.pop("concentration"))
        return given

    def selection(self) -> Json:
        return {
            "cases": "all" if self.cases is None else self.cases,
            "clinical": None if self.clinical is None else lasting_location(self.clinical),
            "where": self.where,
        }


def _concentration(text: str) -> tuple[str, float]:
    track, _, content = text.partition("=")
    try:
        return track.strip(), float(content)
    except ValueError:
        raise BadRequestError(
            "bad_setting", f"{text!r} is not TRACK=NUMBER", where="--concentration", fix="E.g. Orchestra/NEPI_RATE=40."
        ) from None
