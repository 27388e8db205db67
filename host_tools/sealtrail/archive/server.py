# SPDX-License-Identifier: MIT
"""Runs the archive: HTTPS by --cert and --key; plain HTTP on loopback only, unless insisted on."""

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sealtrail.archive.api import ArchiveApi
from sealtrail.archive.archive import Archive
from sealtrail.errors import UsageError

_BACKLOG = 64
_GRACE_S = 10  # for requests in work when it is told to stop


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and as whom. *port* 0: the system chooses."""

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None
    is_insecure: bool = False


def serve(
    archive: Archive, address: Address, origins: Sequence[str], ready: Callable[[str], None]
) -> None:
    """Serves until SIGINT or SIGTERM; `ready(url)` once connections are taken.

    Raises UsageError for an address or certificate that cannot be used.
    """
    check(address)
    run_app(ArchiveApi(archive, origins).app(), address, ready)


def run_app(app: Starlette, address: Address, ready: Callable[[str], None]) -> None:
    """Serves *app* at a checked *address* until SIGINT or SIGTERM. Raises UsageError."""
    server = uvicorn.Server(_config(app, address))
    with _listener(address) as listener:
        host, port = listener.getsockname()[:2]
        scheme = "https" if address.cert else "http"
        shown = f"[{host}]" if ":" in host else host
        ready(f"{scheme}://{shown}:{port}")
        # Ctrl-C is how it is stopped: uvicorn has finished what was in work by then.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _config(app: Starlette, address: Address) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=address.cert,
        ssl_keyfile=address.key,
        h11_max_incomplete_event_size=16_384,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as problem:
        raise UsageError(
            f"{address.cert}, {address.key}: not a certificate and its key ({problem})",
            "Both are PEM files.",
        ) from None
    return config


def check(address: Address) -> None:
    """Refuses what would send tokens and tickets in clear over a network."""
    if (address.cert is None) != (address.key is None):
        raise UsageError("--cert and --key belong together")
    if address.cert is None and not address.is_insecure and not _is_loopback(address.host):
        raise UsageError(
            f"plain HTTP on {address.host} would show tokens and tickets to the network",
            "Give --cert and --key; --insecure only behind a proxy that ends TLS.",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listener(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as problem:
        raise UsageError(
            f"cannot listen on {address.host} port {address.port}: {problem}",
            "Choose another --host or --port.",
        ) from None
