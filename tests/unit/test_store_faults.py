"""Faults of the machine, and how they are sorted."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.exceptions import GenericError

from core.errors import BadRequestError, CasemillError, ContentError, TransientError
from core.faults import classify
from core.run.process import process_case
from core.store import open_store
from core.workload import Case
from tests.toy_workload import ToyWorkload


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("nobody may mount a file system here")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    store = open_store(small_disk)
    for write in (store.put, store.put_if_absent):
        with pytest.raises(
            TransientError, match=r"no space is left on the disk \[disk_full\] Free some space"
        ) as caught:
            write("big", bytes(1_000_000))
        assert caught.value.exit_code == 75
    assert store.head("big") is None
    store.put("small", b"1")


def test_a_read_only_file_system(small_disk: Path) -> None:
    store = open_store(small_disk)
    store.put("a", b"1")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(BadRequestError, match=r"read-only \[read_only\] Mount it writable") as caught:
        store.put("b", b"1")
    assert caught.value.exit_code == 64
    assert store.get("a") == b"1"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_belongs_to_somebody_else(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    tmp_path.chmod(0o500)
    with pytest.raises(BadRequestError, match="permission denied"):
        store.put("b", b"1")


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), TransientError, "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), TransientError, "disk_full"),
        (PermissionError(errno.EACCES, "Permission denied"), BadRequestError, "storage_denied"),
        (PermissionError(errno.EPERM, "Operation not permitted"), BadRequestError, "storage_denied"),
        (OSError(errno.EROFS, "Read-only file system"), BadRequestError, "read_only"),
        (OSError(errno.EIO, "Input/output error"), TransientError, "machine"),
        (MemoryError(), TransientError, "machine"),
    ],
)
def test_the_machines_faults(error: Exception, kind: type[CasemillError], code: str) -> None:
    fault = classify(error, "here")
    assert type(fault.error) is kind
    assert (fault.error.code, fault.error.where) == (code, "here")
    assert fault.error.fix
    assert not fault.repeat


def test_our_own_errors_stay_what_they_are() -> None:
    error = ContentError("unreadable", "x")
    assert classify(error).error is error


@pytest.mark.parametrize(("fault", "code"), [("disk", "disk_full"), ("memory", "machine")])
def test_no_case_is_blamed_for_its_machine(fault: str, code: str) -> None:
    workload = ToyWorkload({"fault": fault, "fault_case": 1})
    case: Case = workload.cohort(None, {}).cases[0]
    with pytest.raises(TransientError) as caught:
        process_case(workload, case, None)
    assert (caught.value.code, caught.value.where) == (code, "case 0001")


@pytest.mark.parametrize("name", [b"a\tb.vital", b"new\nline.vital", b"M\xfcller.vital", b"deep/x\x7f"])
def test_a_name_that_cannot_be_used_is_no_fault_that_mends_itself(tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb"):
        pass
    with pytest.raises(BadRequestError, match=r"the name '.*(tb|line|ller|deep).*' cannot be used") as caught:
        open_store(tmp_path).list()
    assert caught.value.code == "bad_location"
    assert "Rename" in caught.value.fix


def test_a_link_that_leads_back(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to("..")
    with pytest.raises(BadRequestError, match=r"a link leads back: .*/a/loop points to") as caught:
        open_store(tmp_path).list()
    assert caught.value.code == "bad_location"


def test_a_listing_that_is_denied_names_the_folder_below() -> None:
    words = "Unable to walk dir: IO error for operation on /data/lost+found: Permission denied (os error 13)"
    error = classify(GenericError(words), "/data/").error
    assert (error.code, error.where) == ("storage_denied", "/data/lost+found")
