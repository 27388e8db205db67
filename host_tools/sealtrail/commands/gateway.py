# SPDX-License-Identifier: MIT
"""`sealtrail gateway`. Parse, wire, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import asyncio
import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.commands.archive_sync import ArchiveOption, ArchivePart, TokenOption, deliver_due
from sealtrail.commands.inputs import AIR_PANEL, radio_named, session_of, wallet_of
from sealtrail.errors import AccessRefused, EvidenceRefused, Incomplete, LinkError

if TYPE_CHECKING:
    from sealtrail.archive_client.setting import ArchiveSetting
    from sealtrail.commands.gateway_log import LoggedSession
    from sealtrail.commands.output import Session
    from sealtrail.gateway.daemon import Limits
    from sealtrail.gateway.round import Visited
    from sealtrail.gateway.schedule import Pace
    from sealtrail.keys.wallet import WalletEntry

_WAIT_S = 8.0  # for a tag's next advert behind a lost link


def add_to(app: typer.Typer) -> None:
    """Gives the main command this command."""
    app.command(rich_help_panel=AIR_PANEL)(gateway)


def gateway(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One round, then a summary.")] = False,
    links: Annotated[int, typer.Option(help="Tags visited at once.", min=1, max=8)] = 2,
    every: Annotated[
        float, typer.Option(help="Seconds between good visits to a tag.", min=1, max=86400)
    ] = 900,
    listen: Annotated[
        float, typer.Option(help="With --once: seconds to listen first.", min=1, max=600)
    ] = 8,
    visit_timeout: Annotated[
        float, typer.Option(help="The longest visit, in seconds.", min=5, max=3600)
    ] = 180,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Prometheus text on 127.0.0.1; 0: any port.", min=0, max=65535),
    ] = None,
    archive: ArchiveOption = None,
    archive_token: TokenOption = None,
) -> None:
    """Syncs every tag in range that a ticket here opens, until it is stopped.

    What `sync` does for one tag, for all of them: evidence home, then to the archive;
    receipts and the time to the tags. A tag that fails waits longer each time. Logs are JSON
    on stderr. It may be killed at any moment (docs/gateway.md).

    \b
    Exit with --once: 0 all tags in range are synced; 1 evidence was refused; 3 one is not
    complete; 4 a visit failed; 5 only tickets were refused. After SIGTERM: 0.

    \b
    Examples:
      sealtrail gateway --links 2 --metrics-port 9477
      sealtrail gateway --once --json
    """
    from sealtrail.archive_client.setting import chosen
    from sealtrail.commands.gateway_log import LoggedSession
    from sealtrail.gateway.daemon import Limits
    from sealtrail.gateway.schedule import Pace

    plain = session_of(context)
    session = LoggedSession(
        plain.home, plain.clock, plain.is_json, plain.is_quiet, plain.is_verbose
    )
    entries = _entries(plain)
    setting = chosen(session.home, archive, archive_token)
    if setting is not None:
        setting.client().close()  # a token that cannot be used is said now
    limits, pace = Limits(links, visit_timeout, listen), Pace(every)
    with radio_named():
        ended = asyncio.run(_run(session, entries, setting, limits, pace, metrics_port, once))
    if ended is None:
        return
    good = [entries[one.tid].serial for one in ended if one.is_good]
    failed = {entries[o.tid].serial: _why(o) for o in ended if not o.is_good}
    absent = sorted(e.serial for e in entries.values() if e.tid not in {o.tid for o in ended})
    count = sum(one.record_count for one in ended)
    plain.say(f"{len(good)} tags synced, {count} new records; {len(failed)} failed")
    plain.answer(
        {"synced": sorted(good), "failed": failed, "absent": absent, "new_records": count}
    )
    _end(ended)


async def _run(
    session: "LoggedSession",
    entries: "dict[bytes, WalletEntry]",
    setting: "ArchiveSetting | None",
    limits: "Limits",
    pace: "Pace",
    metrics_port: int | None,
    is_once: bool,
) -> "list[Visited] | None":
    from sealtrail.archive_client.outbox import ArchiveOutbox
    from sealtrail.commands.collect import collect
    from sealtrail.gateway.daemon import Gateway
    from sealtrail.gateway.ear import AdvertTable, Ear, EarLink
    from sealtrail.gateway.metrics import Metrics
    from sealtrail.gateway.round import Visited
    from sealtrail.radio.visit import visitor_for

    ear = Ear(AdvertTable({tid: (one.visit_key,) for tid, one in entries.items()}))
    metrics = Metrics()

    async def visit(tid: bytes) -> Visited:
        entry = entries[tid]
        visitor = visitor_for(entry, _WAIT_S, link=EarLink(ear, tid, _WAIT_S))
        url, token = (setting.url, setting.token_file) if setting else (None, None)
        part = ArchivePart(session, entry, url, token)
        outcome = (await collect(session, entry, visitor, part)).outcome
        part.warn_of_alarms()
        problem = None if outcome.is_complete else Incomplete("the tag went on recording")
        return Visited(tid, outcome.record_count, outcome.size, problem)

    def deliver() -> int:
        if setting is None:
            return 0
        deliver_due(session, setting)
        with contextlib.closing(ArchiveOutbox(session.home)) as outbox:
            return len(outbox.waiting(setting.url))

    serials = {tid: one.serial for tid, one in entries.items()}
    one = Gateway(session, serials, ear, metrics, visit, deliver, limits, pace)
    port = None if metrics_port is None else metrics.serve(metrics_port)
    session.event("started", tags=len(entries), links=limits.links, metrics_port=port)
    if is_once:
        return await one.once()
    await one.serve()
    return None


def _entries(session: "Session") -> "dict[bytes, WalletEntry]":
    """One ticket a tag, by tid: of those in force, one that reads all, that lasts longest."""
    wallet = wallet_of(session)
    now_s = session.clock.now_ms() // 1000
    best: dict[bytes, WalletEntry] = {}
    for entry in map(wallet.get, wallet.names()):
        terms = entry.terms
        if not terms.nbf <= now_s < terms.exp or not wallet.is_live(entry):
            continue
        known = best.get(entry.tid)
        if known is None or _worth(entry) > _worth(known):
            best[entry.tid] = entry
    if not best:
        raise AccessRefused("no ticket in force on this computer", "Ask whoever issues them.")
    return best


def _worth(entry: "WalletEntry") -> tuple[bool, int]:
    return entry.terms.trip == 0, entry.terms.exp


def _why(ended: "Visited") -> str:
    return "took too long" if ended.problem is None else ended.problem.message


def _end(ended: "list[Visited]") -> None:
    """Raises for the gravest of what went wrong."""
    problems = [one.problem for one in ended if one.problem is not None]
    for kind in (EvidenceRefused, LinkError, AccessRefused, Incomplete):
        found = [one for one in problems if isinstance(one, kind)]
        if found:
            raise kind(f"{len(found)} visits failed: {found[0].message}", found[0].hint)
    if problems:
        raise problems[0]
    if any(not one.is_good for one in ended):
        raise LinkError("a visit took too long", "Repeat; what came is kept.")
