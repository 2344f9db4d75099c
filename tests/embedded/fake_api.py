"""A stand-in for the public interface: one job whose story is given, with cuts, refusals and results as files."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JOB_ID = "job_01920000-0000-7000-8000-000000000001"
NAMES = ("script", "voice[s1]", "render")
FILES = {"video": b"film" * 50_000, "srt": b"1\n", "vtt": b"WEBVTT\n", "thumbnail": b"\xff\xd8jpeg", "script": b"{}"}
FILENAMES = {
    "video": "video.mp4", "srt": "subtitles.srt", "vtt": "subtitles.vtt", "thumbnail": "thumbnail.jpg",
    "script": "script.json",
}  # fmt: skip

Message = dict[str, Any]


def job(type_: str, **fields: Any) -> Message:
    return {"type": f"job.{type_}", "status": type_, **fields}


def step(number: int, kind: str, **fields: Any) -> Message:
    return {"type": f"step.{kind}", "step_id": f"step_{number}", "step_key": NAMES[number - 1], **fields}


STORY = [
    job("queued", status="pending", progress=0),
    job("started", status="running"),
    step(1, "started", progress=0),
    step(1, "completed"),
    job("progress", status="running", progress=20, eta_seconds=30.0),
    step(2, "completed"),
    step(3, "started", progress=0),
    step(3, "progress", progress=10),
    step(3, "progress", progress=60),
    step(3, "completed"),
    job("completed", progress=100),
]


@dataclass
class FakeApi:
    """What it answers, and in `requests` what it was asked."""

    story: list[Message] = field(default_factory=lambda: list(STORY))
    cuts: list[int] = field(default_factory=list)
    error: dict[str, Any] | None = None
    refuse: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    spoil: set[str] = field(default_factory=set)
    unsettled: int = 0
    silent_after: int | None = None
    status: str = "completed"
    url: str = ""
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    silence: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def asked(self, method: str, path: str) -> list[Any]:
        return [body for verb, asked, body in self.requests if (verb, asked.partition("?")[0]) == (method, path)]

    def answer(self, method: str, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path in self.refuse:
            return self.refuse.pop(path)
        if method == "POST" and path == "/v1/video/generate":
            return (200, ESTIMATE) if "dry_run" in query else (202, {"id": JOB_ID})
        if path.endswith("/cancel"):
            self.status = "cancelled"
            return 202, self.job()
        return 200, self.document(path.removeprefix("/v1").replace(JOB_ID, "id"))

    def document(self, path: str) -> Any:
        if path == "/tokens/history" and self.unsettled:
            self.unsettled -= 1
            return {"data": LEDGER[:1], "next_cursor": None}
        return {
            "/jobs/id": self.job(),
            "/jobs/id/steps": {"data": [_step(number) for number in (1, 2, 3)]},
            "/jobs/id/manifest": {"schema": "fenta.manifest/1", "job_id": JOB_ID},
            "/tokens/history": {"data": LEDGER, "next_cursor": None},
            "/tokens/balance": {"plan": "pro", "balances": {"llm_tokens": {"available": 4_999_000}}},
            "/me": {"id": "user_1"},
            "/auth/register": {"access_token": "session"},
            "/access-tokens": {"token": "fenta_pat_new"},
        }[path]

    def job(self) -> Any:
        outputs = [
            {
                "name": name,
                "filename": FILENAMES[name],
                "url": f"{self.url}/files/{name}",
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for name, content in self.files.items()
        ]
        return {"id": JOB_ID, "status": self.status, "error": self.error, "outputs": outputs}

    def frames(self, after: int) -> Iterator[bytes]:
        """From behind `after`; at each of `cuts` the connection ends in the middle of that message, once."""
        yield b": still here\n\n"
        for number, message in enumerate(self.story, start=1):
            if number <= after:
                continue
            text = f"id: {number}\nevent: {message['type']}\ndata: {json.dumps({'seq': number, **message})}\n\n"
            if self.cuts and self.cuts[0] == number:
                del self.cuts[0]
                yield text.encode()[:-20]
                return
            yield text.encode()
            if self.silent_after == number:
                self.silence.set()
                self.over.wait(30)


ESTIMATE = {
    "valid": True,
    "cost": {"low": {"amount_micros": 0}, "high": {"amount_micros": 1_250_000}},
    "units": [{"unit": "llm_tokens", "low": 100, "high": 2400}],
    "notes": ["The offline writer knows no facts."],
    "quota": {"ok": True, "short": []},
}
LEDGER = [
    {"kind": kind, "unit": "llm_tokens", "quantity": quantity, "cost": {"amount_micros": micros}}
    for kind, quantity, micros in (("hold", 2400, 0), ("capture", 300, 4100), ("capture", 100, 0), ("release", 2000, 0))
]


def _step(number: int) -> dict[str, Any]:
    label = ("Write the script", "Speak 1 of 1", "Render the video")[number - 1]
    return {
        "id": f"step_{number}",
        "key": NAMES[number - 1],
        "label": label,
        "type": ("SCRIPT", "VOICE", "RENDER")[number - 1],
    }


@contextmanager
def running(api: FakeApi) -> Iterator[FakeApi]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield api
    finally:
        api.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET", None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            self._serve("POST", json.loads(raw) if raw else None)

        def _serve(self, method: str, body: Any) -> None:
            parts = urlsplit(self.path)
            api.requests.append((method, self.path, body))
            api.headers.append({name.lower(): value for name, value in self.headers.items()})
            if parts.path.startswith("/files/"):
                return self._file(parts.path.removeprefix("/files/"))
            if parts.path.endswith("/events") and parts.path not in api.refuse:
                return self._stream(int(self.headers.get("last-event-id") or 0))
            status, document = api.answer(method, parts.path, parse_qs(parts.query))
            return self._send(status, json.dumps(document).encode(), "application/json")

        def _file(self, name: str) -> None:
            content = api.files[name]
            if name in api.spoil:
                api.spoil.discard(name)
                content = content[:-1] + b"!"
            self._send(200, content, "application/octet-stream")

        def _send(self, status: int, content: bytes, media_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, after: int) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            whole = not api.cuts
            for frame in api.frames(after):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            if whole:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler


Serve = Callable[..., FakeApi]
