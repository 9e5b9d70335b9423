"""Every command that README.md and docs/ show: where it stands, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.cli.reference import reference_page

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^( *)```([a-z]*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "console", "bash", "shell")
_COMMENT = re.compile(r"\s+#\s.*$")
LOOKS_LIKE_A_COMMAND = re.compile(r"^\s*(?:\$ )?(casemill|make|python|pip|cdk|aws|npm|docker|git) ", re.MULTILINE)
IN_THE_CLOUD = re.compile(
    r"casemill (submit|watch|stop|logs|cost|quarantine|doctor --aws)\b|casemill \w+ s3://(BUCKET|my-bucket)"
)
"""Run by ``tests/localcloud/test_command_line.py``."""

GENERATED = "docs/reference/command-line.md"
"""Made from the help, whose examples have tests of their own."""


@dataclass(frozen=True)
class Documented:
    """``text``: one command on one line, without its comment."""

    page: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def documented() -> list[Documented]:
    """In the order in which a reader meets them."""
    return [found for page in pages() for found in _of(page)]


def _of(page: Path) -> Iterator[Documented]:
    for _, language, content in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in SHELL:
            for line in content.replace("\\\n", " ").splitlines():
                text = " ".join(_COMMENT.sub("", line.removeprefix("$ ")).split())
                if text and not text.startswith("#"):
                    yield Documented(page.relative_to(ROOT).as_posix(), text)


def hidden_commands() -> list[str]:
    """Commands in blocks of another language, where no test would find them."""
    return [
        f"{page.relative_to(ROOT)}: {content.splitlines()[0]}"
        for page in pages()
        for _, language, content in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language in ("", "text") and page != ROOT / GENERATED and LOOKS_LIKE_A_COMMAND.search(content)
    ]


def examples_of_the_help() -> list[str]:
    """The example of every command."""
    return re.findall(r"^```text\n(casemill [^\[\n]*)\n```", reference_page(), re.MULTILINE)
