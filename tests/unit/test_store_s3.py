"""The object store over an emulated S3: every fault of the storage, one at a time."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import BadRequestError, CasemillError, FatalError, TransientError
from core.store import ObjectInfo, Store, open_object, open_store
from tests.s3_server import CREDENTIALS, S3Server
from tests.storage_faults import Rule

DATA = bytes(range(256)) * 4000


@pytest.fixture
def server(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The one that the environment names, without faults, and with little patience for them."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CASEMILL_STORAGE_RETRY_SECONDS", "20")
    monkeypatch.setenv("CASEMILL_STORAGE_READ_SECONDS", "0.3")
    server.faults.reset()
    return server


@pytest.fixture
def bucket(server: S3Server) -> str:
    name = server.new_bucket()
    server.faults.reset()
    return name


@pytest.fixture
def store(bucket: str) -> Store:
    return open_store(f"s3://{bucket}/some where/50%#1?")


def test_everything_a_folder_can(store: Store) -> None:
    store.put("b/2", b"two")
    store.put("b/1", b"one")
    store.put("ba", b"other")
    store.put("b/1", b"once more")
    assert store.get("b/1") == b"once more"
    assert store.list("b") == [ObjectInfo("b/1", 9), ObjectInfo("b/2", 3)]
    assert [item.key for item in store.list()] == ["b/1", "b/2", "ba"]
    assert store.head("b/2") == ObjectInfo("b/2", 3)
    assert store.head("c") is None
    assert store.get_range("b/1", 2, 3) == b"ce "
    assert store.get_range("b/1", 8, 9) == b"e"
    assert store.get_range("b/1", 9, 1) == b""
    assert store.put_if_absent("new", b"") is True
    assert store.put_if_absent("new", b"x") is False
    assert store.get("new") == b""
    with pytest.raises(FileNotFoundError, match=r"s3://.*/none"):
        store.get("none")
    with pytest.raises(BadRequestError, match="bad_location"):
        store.put("../out", b"")
    assert store.is_remote
    assert store.repeats == 0


def test_a_put_carries_its_checksum(server: S3Server, store: Store) -> None:
    store.put("a", DATA)
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert server.faults.headers[-1]["X_AMZ_CHECKSUM_SHA256"] == digest


def test_tags_reach_the_bucket(server: S3Server, bucket: str) -> None:
    store = open_store(f"s3://{bucket}/some where")
    assert store.put_if_absent("a", b"one", {"casemill": "staging", "for whom": "a+b@c: d"})
    assert not store.put_if_absent("a", b"two", {"casemill": "kept"})
    assert store.put_if_absent("b", b"one")
    tags = {
        key: server.client().get_object_tagging(Bucket=bucket, Key=f"some where/{key}")["TagSet"] for key in ("a", "b")
    }
    assert {tag["Key"]: tag["Value"] for tag in tags["a"]} == {"casemill": "staging", "for whom": "a+b@c: d"}
    assert tags["b"] == []


def test_a_single_object(store: Store) -> None:
    store.put("table.csv", b"x")
    found, key = open_object(f"{store.uri}/table.csv")
    assert found.get(key) == b"x"
    for location in ("s3://bucket", "s3://bucket/"):
        with pytest.raises(BadRequestError, match="not a file"):
            open_object(location)
    with pytest.raises(BadRequestError, match="not a bucket's name"):
        open_store("s3://Not_One/x")


@pytest.mark.parametrize(
    "fault", ["SlowDown", "InternalError", "TooManyRequests", "RequestTimeout", "reset", "lost", "stall", "cut"]
)
def test_every_passing_fault_is_borne_and_counted(server: S3Server, store: Store, fault: str) -> None:
    store.put("a", DATA)
    actions = {
        "GET": lambda: store.get("a") == DATA,
        "GET list": lambda: store.list() == [ObjectInfo("a", len(DATA))],
        "HEAD": lambda: store.head("a") == ObjectInfo("a", len(DATA)),
        "PUT": lambda: store.put("b", b"1") is None,
        "PUT new": lambda: store.put_if_absent("new", b"mine") is True,
    }
    # An answer to HEAD has no body, and one to PUT none that is looked at; only what sends a body can send it too late.
    method = {"cut": "GET", "RequestTimeout": "PUT"}.get(fault, "")
    actions = {name: action for name, action in actions.items() if name.startswith(method)}
    for name, action in actions.items():
        before = store.repeats
        server.faults.reset(Rule(fault, method=name[:4].strip(), times=2, seconds=0.6))
        assert action(), name
        assert server.faults.fired == {fault: 2}, name
        assert store.repeats - before == 2, name
        server.faults.reset()
        store._access.call(lambda objects: objects.delete("new"), "", store._access.patience())


def test_a_create_whose_answer_was_lost_is_ours_only_with_our_bytes(server: S3Server, store: Store) -> None:
    server.faults.reset(Rule("lost", method="PUT", times=1))
    assert store.put_if_absent("a", b"mine") is True
    store.put("b", b"theirs")
    server.faults.reset(Rule("lost", method="PUT", times=1))
    assert store.put_if_absent("b", b"mine") is False
    assert store.get("b") == b"theirs"


def test_a_conflict_says_nothing_about_what_will_be_there(server: S3Server, store: Store) -> None:
    server.faults.reset(Rule("ConditionalRequestConflict", method="PUT", times=3))
    assert store.put_if_absent("a", b"mine") is True
    assert store.get("a") == b"mine"
    assert store.repeats == 3


def test_a_broken_stream_is_taken_up_where_it_broke(server: S3Server, store: Store) -> None:
    store.put("a", DATA)
    server.faults.reset(Rule("cut", method="GET", times=3))
    assert b"".join(store.stream("a", 64 * 1024)) == DATA
    ranges = [headers.get("RANGE") for headers in server.faults.headers]
    assert ranges[0] is None
    starts = [int(text.removeprefix("bytes=").rstrip("-")) for text in ranges[1:] if text]
    assert len(starts) == 3
    assert starts == sorted(set(starts))
    assert all("IF_MATCH" in headers for headers in server.faults.headers[1:])


def test_an_object_changed_while_it_is_read_is_never_mixed(server: S3Server, store: Store) -> None:
    store.put("a", DATA)
    server.faults.reset(Rule("cut", method="GET", times=1))
    pieces = store.stream("a", 1024)
    read = next(pieces)
    store.put("a", DATA[::-1])
    with pytest.raises(TransientError) as caught:
        read += b"".join(pieces)
    assert caught.value.code == "object_changed"
    assert DATA.startswith(read)


def test_twenty_racing_for_one_record(store: Store) -> None:
    start = threading.Barrier(20)

    def race(number: int) -> bool:
        start.wait()
        return store.put_if_absent("record", b"%d" % number)

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(race, range(20)))
    assert sum(won) == 1
    assert store.get("record") == b"%d" % won.index(True)


def test_patience_has_an_end(server: S3Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEMILL_STORAGE_RETRY_SECONDS", "1")
    store = open_store(store.uri)
    server.faults.reset(Rule("SlowDown"))
    started = time.monotonic()
    with pytest.raises(TransientError, match=r"fewer requests, \d+ repeats over \d+ s did not help") as caught:
        store.get("a")
    assert caught.value.code == "storage_busy"
    assert caught.value.exit_code == 75
    assert time.monotonic() - started < 30
    assert store.repeats >= 2


def test_nobody_waits_for_a_stream_that_is_no_longer_wanted(server: S3Server, store: Store) -> None:
    server.faults.reset(Rule("SlowDown"))
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    with pytest.raises(TransientError):
        list(store.stream("a", stop=stop))
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("fault", "kind", "code", "exit_code"),
    [
        ("AccessDenied", BadRequestError, "storage_denied", 64),
        ("InvalidAccessKeyId", BadRequestError, "bad_credentials", 64),
        ("ExpiredToken", TransientError, "credentials_expired", 75),
        ("RequestTimeTooSkewed", TransientError, "clock_wrong", 75),
        ("PermanentRedirect", BadRequestError, "wrong_region", 64),
    ],
)
@pytest.mark.parametrize("action", ["get", "list", "head", "put", "put_if_absent"])
def test_lasting_faults_are_told_at_once(
    server: S3Server, store: Store, fault: str, kind: type[CasemillError], code: str, exit_code: int, action: str
) -> None:
    server.faults.reset(Rule(fault))
    arguments = {"list": (), "put": ("a", b""), "put_if_absent": ("a", b"")}.get(action, ("a",))
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        getattr(store, action)(*arguments)
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    assert caught.value.where.startswith(store.uri)
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value)
    # Far below the time for which a passing fault is borne. The server closes each connection after its answer, which
    # the client may see only when it sends the next request: that one is sent again.
    assert time.monotonic() - started < 20
    assert store.repeats <= 1


def test_an_unknown_refusal_is_no_reason_to_go_on(server: S3Server, store: Store) -> None:
    from tests import storage_faults

    storage_faults.STATUS["MethodNotAllowed"] = "405 Method Not Allowed"
    server.faults.reset(Rule("MethodNotAllowed"))
    with pytest.raises(FatalError, match="storage_refused"):
        store.get("a")


@pytest.mark.parametrize("action", ["get", "list", "put", "put_if_absent"])
def test_a_missing_bucket_is_not_a_missing_object(server: S3Server, action: str) -> None:
    store = open_store("s3://no-such-bucket/x")
    arguments = {"list": (), "put": ("a", b""), "put_if_absent": ("a", b"")}.get(action, ("a",))
    with pytest.raises(BadRequestError, match="no such bucket"):
        getattr(store, action)(*arguments)


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [("http://127.0.0.1:9", "no connection"), ("http://no-such-host.invalid", "cannot be resolved|no connection")],
)
def test_nobody_there(server: S3Server, monkeypatch: pytest.MonkeyPatch, endpoint: str, message: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("CASEMILL_STORAGE_RETRY_SECONDS", "0.2")
    with pytest.raises(TransientError, match=message) as caught:
        open_store("s3://bucket/x").get("a")
    assert caught.value.code == "storage_unreachable"


class TestAccess:
    """Signed or not; see core.credentials for the rule."""

    @staticmethod
    def signed(server: S3Server) -> list[bool]:
        return ["AUTHORIZATION" in headers for headers in server.faults.headers]

    @staticmethod
    def public(server: S3Server, bucket: str) -> Store:
        """A bucket that anybody may read, and the store opened there."""
        client = server.client()
        client.put_object(Bucket=bucket, Key="a", Body=b"open", ACL="public-read")
        server.faults.reset()
        return open_store(f"s3://{bucket}")

    @pytest.fixture
    def nobody(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in CREDENTIALS:
            monkeypatch.delenv(name)

    @pytest.mark.usefixtures("nobody")
    def test_without_credentials_public_objects_are_read_unsigned(self, server: S3Server, bucket: str) -> None:
        store = self.public(server, bucket)
        assert store.get("a") == b"open"
        assert self.signed(server) == [False]

    @pytest.mark.usefixtures("nobody")
    def test_without_credentials_a_refusal_says_so(self, server: S3Server, bucket: str) -> None:
        store = self.public(server, bucket)
        server.faults.reset(Rule("AccessDenied"))
        for action in (lambda: store.get("a"), lambda: store.put("a", b"")):
            with pytest.raises(BadRequestError, match="none were found"):
                action()
        assert self.signed(server) == [False, False]

    def test_with_credentials_requests_are_signed(self, server: S3Server, bucket: str) -> None:
        store = self.public(server, bucket)
        assert store.get("a") == b"open"
        store.put("b", b"")
        assert self.signed(server) == [True, True]

    def test_a_narrow_role_still_reads_a_public_bucket(self, server: S3Server, bucket: str) -> None:
        store = self.public(server, bucket)
        server.faults.reset(Rule("AccessDenied", when=lambda environ: "HTTP_AUTHORIZATION" in environ))
        assert store.get("a") == b"open"
        assert store.get("a") == b"open"
        assert self.signed(server) == [True, False, False]
        with pytest.raises(BadRequestError, match="access is denied"):
            store.put("b", b"")
        assert self.signed(server)[3:] == [True]

    @pytest.mark.usefixtures("nobody")
    def test_keys_of_a_profile(
        self, server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        shared = tmp_path / "credentials"
        shared.write_text("[work]\naws_access_key_id = key\naws_secret_access_key = secret\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
        monkeypatch.setenv("AWS_PROFILE", "work")
        open_store(f"s3://{bucket}").put("a", b"")
        assert "Credential=key/" in server.faults.headers[-1]["AUTHORIZATION"]
        monkeypatch.setenv("AWS_PROFILE", "play")
        with pytest.raises(BadRequestError, match="AWS_PROFILE=play: the profile does not exist"):
            open_store(f"s3://{bucket}")

    @pytest.mark.usefixtures("nobody")
    @pytest.mark.parametrize("role", [True, False])
    def test_the_role_of_the_instance(
        self, server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, role: bool
    ) -> None:
        with instance_metadata(role) as endpoint:
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
            store = self.public(server, bucket)
            assert store.get("a") == b"open"
        assert self.signed(server) == [role]
        if role:
            assert "Credential=from-role/" in server.faults.headers[-1]["AUTHORIZATION"]

    def test_a_bucket_in_another_region_is_asked_there(self, server: S3Server, bucket: str) -> None:
        store = self.public(server, bucket)
        header = ("x-amz-bucket-region", "eu-central-1")

        def elsewhere(environ: dict[str, str]) -> bool:
            return "/eu-central-1/" not in environ.get("HTTP_AUTHORIZATION", "")

        server.faults.reset(Rule("PermanentRedirect", headers=(header,), when=elsewhere))
        assert store.get("a") == b"open"
        store.put("b", b"")
        assert server.faults.fired == {"PermanentRedirect": 2}, "one refusal, one question for the region"


def instance_metadata(role: bool):  # type: ignore[no-untyped-def]
    """A metadata service with or without a role."""
    import json
    from contextlib import contextmanager

    from werkzeug.serving import make_server

    answers = {
        "/latest/api/token": b"token",
        "/latest/meta-data/iam/security-credentials/": b"the-role",
        "/latest/meta-data/iam/security-credentials/the-role": json.dumps(
            {
                "Code": "Success", "AccessKeyId": "from-role", "SecretAccessKey": "s", "Token": "t",
                "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z",
            }
        ).encode(),
    }  # fmt: skip

    def application(environ, start_response):  # type: ignore[no-untyped-def]
        found = answers.get(environ["PATH_INFO"]) if role or environ["REQUEST_METHOD"] == "PUT" else None
        start_response("200 OK" if found else "404 Not Found", [("Content-Length", str(len(found or b"")))])
        return [found or b""]

    @contextmanager
    def running() -> Iterator[str]:
        listener = make_server("127.0.0.1", 0, application, threaded=True)
        listener.RequestHandlerClass.log = lambda *arguments: None  # type: ignore[method-assign]
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.port}"
        finally:
            listener.shutdown()
            thread.join()

    return running()


@pytest.mark.parametrize("name", ["RETRY", "READ"])
@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_settings_are_checked(server: S3Server, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"CASEMILL_STORAGE_{name}_SECONDS", text)
    with pytest.raises(BadRequestError, match=f"{name}_SECONDS"):
        open_store("s3://bucket")
