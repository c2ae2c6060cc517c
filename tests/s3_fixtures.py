"""An S3 server on loopback (moto) behind a proxy that loses connections and answers errors, or is down."""

import atexit
import http.client
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from s3fs import S3FileSystem

HOST = "127.0.0.1"
BUCKET = "bucket"
# Before the server has seen the request, after it has done it, and in the middle of its answer.
FAULTS = ("lost request", "lost answer", "cut answer", "500 InternalError", "503 SlowDown", "503 ServiceUnavailable")


class S3:
    """A bucket on a server of its own, reached through a faulty proxy.

    `faults` is the probability that a request meets one of FAULTS, drawn in the order in which requests come, from
    `seed`; see `disturb` and `plan`. `url` is a store in the bucket, `environment` what a process needs to find
    it, `requests` and `met` count what came and what went wrong. A context manager: starts and stops server and proxy.
    A process has one S3 at a time.
    """

    def __init__(self, faults: float = 0.0, seed: int = 0):
        self.lock = threading.Lock()
        self.begin("runs", faults, seed)
        self.is_down = False
        self.turn = threading.Lock()  # moto looks and writes in two steps where S3 needs one
        self._proxy: ThreadingHTTPServer | None = None

    def begin(self, folder: str, faults: float = 0.0, seed: int = 0) -> None:
        """Starts afresh in another folder of the bucket."""
        self.url = f"s3://{BUCKET}/{folder}"
        self.disturb(faults, seed)

    def disturb(self, faults: float, seed: int = 0) -> None:
        """From now on requests meet faults with this probability."""
        self.faults, self.chance = faults, random.Random(seed)
        self.requests: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.planned: list[tuple[str, str, str]] = []

    def plan(self, method: str, part: str, fault: str) -> None:
        """The next request of this method with `part` in its path will meet this fault. Several are met in order."""
        self.planned.append((method, part, fault))

    def __enter__(self) -> "S3":
        S3FileSystem.clear_instance_cache()  # what this process has knows another server
        self.moto_port, self.port = _free_port(), _free_port()
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.moto_port)]
        self._moto = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not _answers(self.moto_port):
            assert self._moto.poll() is None and time.monotonic() < deadline, "moto does not start"
            time.sleep(0.05)
        self.client().create_bucket(Bucket=BUCKET)
        self.up()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.down()
        self._moto.terminate()
        self._moto.wait()

    @property
    def environment(self) -> dict[str, str]:
        """What a process that uses the store needs in its environment."""
        return dict(
            AWS_ENDPOINT_URL=f"http://{HOST}:{self.port}",
            AWS_ACCESS_KEY_ID="key",
            AWS_SECRET_ACCESS_KEY="secret",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_EC2_METADATA_DISABLED="true",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        )

    def client(self) -> "boto3.client":
        """Straight to the server, past the proxy."""
        keys = dict(aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1")
        return boto3.client("s3", endpoint_url=f"http://{HOST}:{self.moto_port}", **keys)

    def objects(self) -> list[str]:
        """What is in the store, not what other tests have left in the bucket."""
        prefix = self.url.removeprefix(f"s3://{BUCKET}/") + "/"
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def down(self) -> None:
        """From now on nobody can connect, and open connections are lost at their next request."""
        if not self.is_down:
            self.is_down = True
            if self._proxy:
                self._proxy.shutdown()
                self._proxy.server_close()

    def up(self) -> None:
        """It answers again, at the same place."""
        if self._proxy and not self.is_down:
            return
        self.is_down = False
        self._proxy = _Server((HOST, self.port), type("Bound", (_Handler,), {"s3": self}))
        threading.Thread(target=self._proxy.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()

    def fault(self, method: str, path: str) -> str | None:
        """What happens to the request that has come."""
        with self.lock:
            self.requests[method] += 1
            plan = next((plan for plan in self.planned if plan[0] == method and plan[1] in path), None)
            if plan:
                self.planned.remove(plan)
                what = plan[2]
            elif self.chance.random() < self.faults:
                what = self.chance.choice(FAULTS)
            else:
                return None
            self.met[what] += 1
            return what


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False
    request_queue_size = 128

    def handle_error(self, request: socket.socket, client_address: object) -> None:
        """A client that was killed, or that gave up."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with its own to the server."""

    protocol_version = "HTTP/1.1"
    s3: S3

    def setup(self) -> None:
        super().setup()
        self.behind = http.client.HTTPConnection(HOST, self.s3.moto_port, timeout=60)

    def finish(self) -> None:
        self.behind.close()
        super().finish()

    def handle_method(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.s3.fault(self.command, self.path)
        if self.s3.is_down or fault == "lost request":
            self.close_connection = True
            return
        if fault and fault[0] == "5":
            status, code = fault.split()
            text = (
                f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} was drawn</Message></Error>".encode()
            )
            self._send(int(status), {"Content-Type": "application/xml", "Content-Length": str(len(text))}, text)
            return
        status, headers, answer = self._ask(body)
        if fault == "lost answer" or (fault and len(answer) < 2):
            self.close_connection = True
        elif fault == "cut answer":
            self._send(status, headers, answer[: len(answer) // 2])
            self.close_connection = True
        else:
            self._send(status, headers, answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_method

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        with self.s3.turn:
            self.behind.request(self.command, self.path, body, headers)
            answer = self.behind.getresponse()
            content = answer.read()
        hop = {"connection", "transfer-encoding", "server", "date"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in hop}
        if self.command != "HEAD":
            headers["Content-Length"] = str(len(content))
        return answer.status, headers, content

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        return free.getsockname()[1]


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        connection.request("GET", "/moto-api/")
        connection.getresponse().read()
        connection.close()
    except OSError:
        return False
    return True


@cache
def one_server() -> S3:
    """Shared by all tests of a process, because starting it takes seconds."""
    server = S3()
    atexit.register(server.__enter__().__exit__)
    return server


def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The fixture `s3` of conftest.py: that server with a folder of the test's own, in this process's environment."""
    server = one_server()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.begin(f"runs-{uuid.uuid4().hex[:8]}")
    yield server
    server.faults = 0.0
    server.up()
    S3FileSystem.clear_instance_cache()  # what it knows is no other test's
