"""What ``--workload trajectory`` takes on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from core.workload_options import Json, given_of


@dataclass(frozen=True)
class Options:
    """Settings of the workload; the defaults are those of its configuration."""

    reads: ClassVar[str] = ""

    samples: Annotated[int | None, typer.Option(help="How many videos.", show_default="30000", metavar="N")] = None
    block_size: Annotated[
        int | None,
        typer.Option(help="Consecutive samples that make one block of cases.", show_default="250", metavar="N"),
    ] = None
    frames: Annotated[int | None, typer.Option(help="Frames of a video.", show_default="8", metavar="N")] = None
    image: Annotated[
        int | None, typer.Option(help="Side of a frame in pixels.", show_default="32", metavar="PIXELS")
    ] = None
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for RGB.", show_default="1", metavar="1|3")] = None
    augment: Annotated[
        float | None, typer.Option(help="Probability that a path is augmented.", show_default="0.5", metavar="SHARE")
    ] = None
    seed: Annotated[
        int | None, typer.Option(help="Seed of every sample's random stream.", show_default="42", metavar="N")
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(help="default, or classic to compare with older data.", show_default="default", metavar="NAME"),
    ] = None
    camera: Annotated[
        str | None,
        typer.Option(
            help="auto frames each path, fixed stands at the origin.", show_default="by preset", metavar="auto|fixed"
        ),
    ] = None
    out_of_frame: Annotated[
        str | None,
        typer.Option(help="Points out of frame: reject, mask or clip.", show_default="by preset", metavar="WORD"),
    ] = None
    open_circle: Annotated[
        bool | None, typer.Option("--open-circle/--no-open-circle", help="Circles that do not end where they began.")
    ] = None

    def settings(self) -> Json:
        return given_of(self)

    def selection(self) -> Json:
        return {}
