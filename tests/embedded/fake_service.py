"""Stands for a service: tells what it found in its environment, and is ready as soon as it listens."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ok", "checks": {}}')

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def main(name: str) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    home = Path(os.environ["FENTA_HOME"])
    if (home / f"{name}.refuses").exists():
        sys.exit(f"{name} refuses to start")
    (home / f"{name}.environment").write_text(json.dumps(dict(os.environ)))
    print(f"{name} runs", flush=True)
    HTTPServer(("127.0.0.1", int(os.environ["ADMIN_PORT"])), Health).serve_forever()


main(sys.argv[1])
