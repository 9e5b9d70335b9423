"""A copy of a published data set that tests break, and what its verification then says."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.examples.members import decompress_member
from core.examples.parse import iterate_records
from core.run.documents import sealed_documents
from core.run.models import Manifest
from core.run.verify import count_splits, root_hash
from core.schema import Schema
from tests.command_line import Answer

Json = dict[str, Any]
Command = Callable[..., Answer]


class DataSetCopy:
    """A copy of the data set, its manifest open for changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Json = json.loads((folder / "manifest.json").read_text())
        self.schema = Schema.model_validate(self.manifest["schema"])

    def shard(self, name: str) -> Json:
        return next(shard for shard in self.manifest["shards"] if shard["shard"] == name)

    def path(self, shard: Json) -> Path:
        return self.folder / shard["path"]

    def blocks(self, shard: Json) -> list[bytes]:
        """The uncompressed records of each case."""
        data = self.path(shard).read_bytes()
        return [decompress_member(data[case["offset"] : case["offset"] + case["length"]]) for case in shard["cases"]]

    def write_object(self, shard: Json, members: list[bytes]) -> None:
        """Write the object and adapt its checksum and layout."""
        data, offset = b"".join(members), 0
        for case, member in zip(shard["cases"], members, strict=True):
            case.update(offset=offset, length=len(member))
            offset += len(member)
        self.path(shard).write_bytes(data)
        shard.update(bytes=len(data), object_sha256=hashlib.sha256(data).hexdigest())

    def rewrite(self, shard: Json, blocks: list[bytes]) -> None:
        """Write other records and adapt everything that the shard's entry says of them."""
        self.write_object(shard, [gzip.compress(block, 6, mtime=0) for block in blocks])
        for case, block in zip(shard["cases"], blocks, strict=True):
            case["records"] = sum(1 for _ in iterate_records([block]))
        shard["records"] = sum(case["records"] for case in shard["cases"])
        shard["content_sha256"] = hashlib.sha256(b"".join(blocks)).hexdigest()

    def add_up(self) -> None:
        """Adapt the manifest's sums and its root hash to its entries."""
        found = Manifest.model_validate(self.manifest)
        shards = self.manifest["shards"]
        cases = [case for shard in shards for case in shard["cases"]]
        outcomes = [case["outcome"] for case in cases]
        self.manifest.update(
            records=sum(shard["records"] for shard in shards),
            planned_cases=len(cases),
            outcomes={name: outcomes.count(name) for name in sorted(set(outcomes))},
            splits={side: counts.model_dump() for side, counts in count_splits(found.shards).items()},
            root_hash=root_hash(found.schema_, ((shard.shard, shard.content_sha256) for shard in found.shards)),
        )

    def seal(self) -> None:
        """Write the manifest and a ``_SUCCESS`` that vouches for everything as it is now."""
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest))
        success = json.loads((self.folder / "_SUCCESS").read_text())
        success["root_hash"] = self.manifest["root_hash"]
        success["sha256"] = {
            name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
            for name in sealed_documents(self.manifest["format"])
            if (self.folder / name).exists()
        }
        (self.folder / "_SUCCESS").write_text(json.dumps(success))

    def edit_split(self, change: Callable[[Json], None]) -> None:
        split = json.loads((self.folder / "split.json").read_text())
        change(split)
        (self.folder / "split.json").write_text(json.dumps(split))


def failed_checks(command: Command, copy: DataSetCopy) -> set[str]:
    """The names of the checks that fail; the exit code says the same."""
    answer = command("verify", copy.folder, "--json")
    checks = {check["name"]: check for check in answer.json["checks"]}
    failed = {name for name, check in checks.items() if not check["passed"]}
    assert answer.code == (1 if failed else 0)
    assert answer.json["passed"] == (not failed)
    assert all(bool(checks[name]["problems"]) == (name in failed) for name in checks)
    return failed
