"""Plays the instance metadata service, version 2, on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SPOT_INSTANCE = {
    "instance-type": "c7i.large",
    "placement/availability-zone": "eu-west-1b",
    "instance-life-cycle": "spot",
}
NOTICE = '{"action": "terminate", "time": "2031-01-01T00:00:00Z"}'
NOTICE_PATH = "spot/instance-action"


@dataclass
class MetadataService:
    """What it says, and what it was asked. ``broken_answers`` of the next requests are a status 500; a
    ``forgetful`` one knows none of the tokens that it gave.

    It may serve many hosts, each below a folder of its own at the endpoint; ``announced`` are those with a notice."""

    values: dict[str, str] = field(default_factory=lambda: dict(SPOT_INSTANCE))
    broken_answers: int = 0
    forgetful: bool = False
    endpoint: str = ""
    tokens: set[str] = field(default_factory=set)
    tokens_given: int = 0
    announced: set[str] = field(default_factory=set)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def announce(self) -> None:
        """The spot notice is there from now on."""
        self.values[NOTICE_PATH] = NOTICE

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        """Status and text."""
        if self.broken_answers:
            self.broken_answers -= 1
            return 500, ""
        host, found, rest = path.partition("/latest/")
        path = f"{found}{rest}"
        if method == "PUT" and path == "/latest/api/token":
            if not 1 <= int(headers.get("x-aws-ec2-metadata-token-ttl-seconds", "0")) <= 21600:
                return 400, ""
            self.tokens_given += 1
            self.tokens.add(f"token-{self.tokens_given}")
            return 200, f"token-{self.tokens_given}"
        if self.forgetful or headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return 401, ""
        value = self.values.get(path.removeprefix("/latest/meta-data/"))
        if path.endswith(NOTICE_PATH) and host.strip("/") in self.announced:
            value = NOTICE
        return (404, "") if value is None else (200, value)


@contextmanager
def metadata_service() -> Iterator[MetadataService]:
    """A service that listens until the end of the block."""
    service = MetadataService()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            status, text = service.answer(
                self.command, self.path, {name.lower(): value for name, value in self.headers.items()}
            )
            service.asked.append((self.path, status))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = _serve  # noqa: N815  the library's names
        do_PUT = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
