"""A small HTTP proxy in front of an S3 server that misbehaves on demand."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import urlsplit

Headers = dict[str, str]
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date", "expect"}


@dataclass
class Exchange:
    """One request on its way, and how to pass it on."""

    method: str
    path: str
    headers: Headers
    body: bytes
    upstream: Callable[[Headers], tuple[int, Headers, bytes]]


@dataclass
class Reply:
    """What the client gets. ``cut`` sends only so many bytes of the body and drops the connection."""

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


@dataclass
class Fault:
    """What to do with the next ``times`` requests that ``applies`` accepts."""

    applies: Callable[[Exchange], bool]
    reply: Callable[[Exchange], Reply]
    times: int = 1


def error_body(code: str, **extra: str) -> bytes:
    """An S3 error document."""
    more = "".join(f"<{name}>{value}</{name}>" for name, value in extra.items())
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as told</Message>{more}</Error>".encode()


def forward(exchange: Exchange, *, without: tuple[str, ...] = ()) -> Reply:
    """Pass the request on and the answer back, leaving out some request headers."""
    headers = {name: value for name, value in exchange.headers.items() if name.lower() not in without}
    status, answer, body = exchange.upstream(headers)
    return Reply(status, answer, body)


def read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    """The body of a request, sent whole or in chunks."""
    if headers.get("Transfer-Encoding") != "chunked":
        return stream.read(int(headers.get("Content-Length", 0)))
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


class FaultyProxy:
    """Forwards everything to ``upstream``, except where a fault says otherwise."""

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = upstream
        self._lock = threading.Lock()
        self.faults: list[Fault] = []
        self.seen: list[Exchange] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[FaultyProxy]:
        """Serve while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def requests(self, method: str) -> int:
        """How many requests with this method came in."""
        return sum(exchange.method == method for exchange in self.seen)

    def answer(self, exchange: Exchange) -> Reply:
        """The reply to one request."""
        with self._lock:
            self.seen.append(exchange)
            fault = next((fault for fault in self.faults if fault.times > 0 and fault.applies(exchange)), None)
            if fault is not None:
                fault.times -= 1
        return forward(exchange) if fault is None else fault.reply(exchange)

    def ask_upstream(self, method: str, path: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        """One request to the real server."""
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        try:
            sent = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = read_body(self.rfile, self.headers)
                headers = dict(self.headers.items())
                reply = proxy.answer(
                    Exchange(
                        self.command,
                        self.path,
                        headers,
                        body,
                        lambda sent: proxy.ask_upstream(self.command, self.path, sent, body),
                    )
                )
                self._send(reply)

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                length = reply.headers.get("Content-Length", str(len(reply.body)))
                for name, value in reply.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body[: reply.cut])
                if reply.cut is not None:
                    self.wfile.flush()
                    self.close_connection = True

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815 - names of http.server

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        return Handler
