# SPDX-License-Identifier: MIT
"""The page's modules and this folder's test pages on http://localhost, at a port of its own."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.web.node import STATIC

PAGES = Path(__file__).parent / "pages"


class _Files(http.server.SimpleHTTPRequestHandler):
    """Two folders as one; what is in neither is 404."""

    def translate_path(self, path: str) -> str:
        name = path.split("?", maxsplit=1)[0].lstrip("/")
        mine = PAGES / name
        return str(mine if mine.is_file() else STATIC / name)

    def log_message(self, format: str, *args: Any) -> None:
        pass  # a test's output is for its own words


@contextmanager
def site() -> Iterator[str]:
    """Serves while the context lasts; yields the address, without a slash at its end."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
