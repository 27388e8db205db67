# SPDX-License-Identifier: MIT
"""Serves an archive of this process over real HTTP on loopback, on a free port."""

import contextlib
import threading
from collections.abc import Iterator

import uvicorn

from sealtrail.archive.api import ArchiveApi
from sealtrail.archive.archive import Archive


@contextlib.contextmanager
def serving(archive: Archive, *origins: str) -> Iterator[str]:
    config = uvicorn.Config(
        ArchiveApi(archive, origins).app(), host="127.0.0.1", port=0, log_level="warning",
        lifespan="off",
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
