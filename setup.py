"""The part of the build that pyproject.toml cannot say: the C sources are compiled, where that is possible, and the
plotting library of the run report is taken out of its package.

Without a compiler of its own a machine gets one from PyPI for the time of the build (``ziglang``). Where it fails,
or ``CASEMILL_PLAIN`` is set, the package is installed all the same: it then reads recordings in plain Python,
and isal compresses every case.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

_CORE = Path(__file__).parent / "core"
_COMPILE: dict[str, Any] = runpy.run_path(str(_CORE / "compile.py"))
_LIBRARY: dict[str, Any] = runpy.run_path(str(_CORE / "report" / "library.py"))
_IS_PLAIN = os.environ.get("CASEMILL_PLAIN", "0") not in ("", "0")


class _BuildLibrary(build_ext):
    """Calls the compiler itself: a library for ctypes needs neither Python's headers nor its name for extensions."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split(".")).with_suffix(".so"))

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _COMPILE["compile_library"](Path(ext.sources[0]), target)
        except _COMPILE["CompileError"] as error:
            # Extension(optional=True) would want an error of its own, and hides the reason.
            self.warn(f"{ext.sources[0]} cannot be compiled; Casemill will do without, slower: {error}")

    def copy_extensions_to_source(self) -> None:
        # For an editable installation; there is nothing to copy of what could not be compiled.
        made = [ext for ext in self.extensions if Path(self.build_lib, self.get_ext_filename(ext.name)).exists()]
        self.extensions = made
        super().copy_extensions_to_source()

    def get_outputs(self) -> list[str]:
        return [path for path in super().get_outputs() if Path(path).exists()]


class _BuildWithCharts(build_py):
    """Package data are looked for afterwards, so that the library is among them."""

    def run(self) -> None:
        try:
            _LIBRARY["make_library"]()
        except ImportError as error:
            self.warn(f"the run report's plotting library cannot be had; reports cannot be written: {error}")
        super().run()


class _WheelForAnyPython(bdist_wheel):
    """The library does not care which Python loads it, only the platform counts."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


def _extension(source: Path) -> Extension:
    place = source.relative_to(Path(__file__).parent)
    return Extension(".".join((*place.parent.parts, f"lib{place.stem}")), [str(place)])


setup(
    ext_modules=[] if _IS_PLAIN else [_extension(source) for source in _COMPILE["sources"]()],
    cmdclass={"build_ext": _BuildLibrary, "build_py": _BuildWithCharts, "bdist_wheel": _WheelForAnyPython},
    setup_requires=[] if _IS_PLAIN or _COMPILE["system_compiler"]() else ["ziglang==0.15.2"],
)
