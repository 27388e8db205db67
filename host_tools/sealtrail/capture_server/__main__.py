# SPDX-License-Identifier: MIT
"""`python -m sealtrail.capture_server --port N --dir D`: runs the stand-in server.

Prints one line with its address once it takes connections; port 0 lets the system choose.
Stops on Ctrl-C or SIGTERM. --auth-file holds "bearer TOKEN" or "basic USER:PASSWORD".
"""

import argparse
import base64
import os
import socket
import sys
from pathlib import Path

import uvicorn

from sealtrail.capture_server.app import CaptureApi
from sealtrail.capture_server.faults import VARIABLE, Faults
from sealtrail.capture_server.store import CaptureStore
from sealtrail.capture_server.validation import validator
from sealtrail.errors import SealtrailError, UsageError


def main(arguments: list[str] | None = None) -> int:
    """Runs until stopped. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="sealtrail.capture_server",
        description="Local stand-in for an EPCIS 2.0 capture server and evidence store.",
    )
    parser.add_argument("--port", type=int, default=8810, help="0: the system chooses")
    parser.add_argument("--dir", type=Path, required=True, help="folder for captures and evidence")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--schema", type=Path, help="GS1's EPCIS-JSON-Schema.json, to check with")
    parser.add_argument("--auth-file", type=Path, help='file with "bearer TOKEN" or "basic U:P"')
    options = parser.parse_args(arguments)
    try:
        serve(options)
    except SealtrailError as problem:
        print(f"capture server: {problem.message}", file=sys.stderr)
        return problem.exit_code
    return 0


def serve(options: argparse.Namespace) -> None:
    """Builds the server and runs it. Raises UsageError for wrong options."""
    api = CaptureApi(
        CaptureStore(options.dir),
        Faults.parse(os.environ.get(VARIABLE, "")),
        validator(options.schema),
        read_authorization(options.auth_file),
    )
    listener = _listen(options.host, options.port)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(api.app(), log_level="warning", lifespan="off")
    print(f"capture server: http://{host}:{port} stores in {options.dir}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def read_authorization(path: Path | None) -> str | None:
    """The Authorization header that is demanded, None for an open server."""
    if path is None:
        return None
    try:
        kind, _, secret = path.read_text("utf-8").strip().partition(" ")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: not readable") from problem
    if kind == "bearer" and secret:
        return f"Bearer {secret}"
    if kind == "basic" and ":" in secret:
        return f"Basic {base64.b64encode(secret.encode()).decode()}"
    raise UsageError(f'{path}: not "bearer TOKEN" or "basic USER:PASSWORD"')


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=64)
    except (OSError, OverflowError) as problem:
        raise UsageError(f"can't listen on {host} port {port}: {problem}") from problem


if __name__ == "__main__":
    sys.exit(main())
