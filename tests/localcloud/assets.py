"""The files of a cloud assembly: how they come into the asset bucket, and functions' code out of it."""

from __future__ import annotations

import io
import json
import shutil
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction

POINTER = "folder-of-the-asset"


def upload_assets(s3: Any, bucket: str, assembly: Path, stack: str) -> None:
    """What ``cdk deploy`` puts into the asset bucket; a folder only by its name."""
    assets = json.loads((assembly / f"{stack}.assets.json").read_text())
    for file in assets.get("files", {}).values():
        source = assembly / file["source"]["path"]
        content = source.read_bytes() if source.is_file() else _pointer(source)
        for destination in file["destinations"].values():
            s3.put_object(Bucket=bucket, Key=destination["objectKey"], Body=content)


def _pointer(folder: Path) -> bytes:
    """A zip that names the asset's folder: packing 200 MB for the emulator to keep would prove nothing."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo(POINTER), str(folder.resolve()))
    return target.getvalue()


@dataclass(frozen=True)
class Packages:
    """The folders of functions' code; what came as a real zip, by ``cdk deploy``, is unpacked once below ``folder``."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lock", threading.Lock())

    def of(self, function: LambdaFunction) -> Path:
        """Where a function's code stands."""
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
            if archive.namelist() == [POINTER]:
                return Path(archive.read(POINTER).decode())
            place = self.folder / str(function.code_sha_256).replace("/", "-")
            with self._lock:  # type: ignore[attr-defined]
                if not place.exists():
                    partly = place.with_suffix(".part")
                    shutil.rmtree(partly, ignore_errors=True)
                    archive.extractall(partly)
                    partly.rename(place)
            return place
