# SPDX-License-Identifier: MIT
"""What the gateway counts, as Prometheus reads it (http://127.0.0.1:PORT/metrics)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, start_http_server

from sealtrail.errors import UsageError

_HOST = "127.0.0.1"  # serials are nobody else's business; a proxy may serve them on


class Metrics:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.visits = Counter(
            "sealtrail_visits", "Visits by how they ended", ["result"], registry=registry
        )
        self.records = Counter("sealtrail_records", "New records stored", registry=registry)
        self.octets = Counter("sealtrail_record_bytes", "Bytes of them", registry=registry)
        self.heard = Gauge("sealtrail_tags_heard", "Known tags in range", registry=registry)
        self.known = Gauge("sealtrail_tags_known", "Tags with a ticket", registry=registry)
        self.outbox = Gauge(
            "sealtrail_outbox_tags", "Tags the archive lacks evidence of", registry=registry
        )
        self.round_s = Gauge("sealtrail_round_seconds", "The last round", registry=registry)
        self.last_good_s = Gauge(
            "sealtrail_tag_synced_timestamp_seconds", "Last good sync", ["tag"], registry=registry
        )

    def text(self) -> str:
        """All of it in Prometheus' text form."""
        return generate_latest(self.registry).decode()

    def serve(self, port: int) -> int:
        """Serves it on loopback; returns the port (0: the system chose). Raises UsageError."""
        try:
            server, _ = start_http_server(port, _HOST, self.registry)
        except (OSError, OverflowError) as problem:
            raise UsageError(
                f"cannot listen on {_HOST} port {port}: {problem}",
                "Choose another --metrics-port.",
            ) from None
        return int(server.server_port)
