"""The instance metadata service: what it tells, and every way in which it may not answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from core.run.models import Place
from core.run.spot import InstanceMetadata, NoMetadataError, is_taken_away, read_place, watch_for_notice
from core.run.stop import StopRequest
from tests.metadata_service import NOTICE, NOTICE_PATH, MetadataService, metadata_service


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as service:
        yield service


SPOT = Place(instance_type="c7i.large", zone="eu-west-1b", capacity="spot")


def statuses(service: MetadataService, path: str = f"/latest/meta-data/{NOTICE_PATH}") -> list[int]:
    return [status for asked, status in service.asked if asked == path]


def wait_for(service: MetadataService, answers: int) -> None:
    ends = time.monotonic() + 5
    while len(statuses(service)) < answers:
        assert time.monotonic() < ends, service.asked
        time.sleep(0.005)


def test_the_service_tells_type_zone_and_capacity(service: MetadataService) -> None:
    assert read_place(InstanceMetadata(service.endpoint)) == SPOT
    assert service.tokens_given == 1


@pytest.mark.parametrize(("said", "capacity"), [("on-demand", "on-demand"), ("capacity-block", None), (None, None)])
def test_life_cycles(service: MetadataService, said: str | None, capacity: str | None) -> None:
    del service.values["instance-life-cycle"]
    if said:
        service.values["instance-life-cycle"] = said
    place = read_place(InstanceMetadata(service.endpoint))
    assert place is not None
    assert place.capacity == capacity


def test_every_read_carries_a_token(service: MetadataService) -> None:
    InstanceMetadata(service.endpoint).read("instance-type")
    assert service.asked == [("/latest/api/token", 200), ("/latest/meta-data/instance-type", 200)]


def test_what_is_not_there_is_none(service: MetadataService) -> None:
    assert InstanceMetadata(service.endpoint).read(NOTICE_PATH) is None


def test_a_refused_token_is_renewed_once(service: MetadataService) -> None:
    metadata = InstanceMetadata(service.endpoint)
    metadata.read("instance-type")
    service.tokens.clear()
    assert metadata.read("instance-type") == "c7i.large"
    assert service.tokens_given == 2
    assert [status for _, status in service.asked] == [200, 200, 401, 200, 200]


def test_a_service_that_refuses_every_token_is_no_service(service: MetadataService) -> None:
    service.forgetful = True
    with pytest.raises(NoMetadataError):
        InstanceMetadata(service.endpoint).read("instance-type")


def test_a_token_is_renewed_when_its_time_is_over(service: MetadataService) -> None:
    now = [0.0]
    metadata = InstanceMetadata(service.endpoint, token_seconds=100, elapsed=lambda: now[0])
    for now[0] in (0.0, 99.0, 100.0, 150.0):
        assert metadata.read("instance-type") == "c7i.large"
    assert service.tokens_given == 2
    assert 401 not in [status for _, status in service.asked]


def test_the_notice_asks_to_stop_and_ends_the_watch(service: MetadataService) -> None:
    stop = StopRequest()
    thread = watch_for_notice(InstanceMetadata(service.endpoint), stop, poll_seconds=0.01)
    wait_for(service, 3)
    assert stop.reason == ""
    service.announce()
    thread.join(5)
    assert not thread.is_alive()
    assert stop.reason == "reclaimed"
    assert stop.asked_at is not None
    assert set(statuses(service)[:-1]) == {404}
    assert InstanceMetadata(service.endpoint).read(NOTICE_PATH) == NOTICE


def test_the_watch_outlives_errors_and_expired_tokens(service: MetadataService) -> None:
    stop = StopRequest()
    thread = watch_for_notice(InstanceMetadata(service.endpoint), stop, poll_seconds=0.01)
    wait_for(service, 1)
    service.broken_answers = 4
    service.tokens.clear()
    wait_for(service, 6)
    service.announce()
    thread.join(5)
    assert stop.reason == "reclaimed"
    assert 500 in [status for _, status in service.asked]


def test_whether_the_machine_is_taken_away(service: MetadataService) -> None:
    metadata = InstanceMetadata(service.endpoint, answer_seconds=5)
    assert not is_taken_away(metadata)
    service.broken_answers = 1
    assert is_taken_away(metadata), "a machine that goes down may answer no more"
    service.announce()
    assert is_taken_away(metadata)


def test_the_watch_ends_when_a_signal_was_first(service: MetadataService) -> None:
    stop = StopRequest()
    thread = watch_for_notice(InstanceMetadata(service.endpoint), stop, poll_seconds=0.01)
    stop.ask("interrupted")
    thread.join(5)
    assert not thread.is_alive()
    assert stop.reason == "interrupted"


def test_one_failed_answer_does_not_mean_that_there_is_no_service(service: MetadataService) -> None:
    service.broken_answers = 1
    assert read_place(InstanceMetadata(service.endpoint)) == SPOT


def test_no_service_is_found_out_soon() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        started = time.monotonic()
        assert read_place(InstanceMetadata(endpoint)) is None
    assert time.monotonic() - started < 10


def test_a_service_that_never_answers_costs_two_time_outs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}"
        started = time.monotonic()
        assert read_place(InstanceMetadata(endpoint, answer_seconds=0.2)) is None
    assert 0.4 <= time.monotonic() - started < 10


def test_what_is_no_answer_of_http_is_no_service() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"

        def talk() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"not http at all\r\n\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        assert read_place(InstanceMetadata(endpoint)) is None
        thread.join()


def test_proxies_are_not_asked(service: MetadataService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert read_place(InstanceMetadata(service.endpoint)) is not None
