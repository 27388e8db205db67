# SPDX-License-Identifier: MIT
"""The archive's part of `sync`, and `archive use`, `archive push`. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.inputs import session_of
from sealtrail.errors import EvidenceRefused, LinkError, UsageError

if TYPE_CHECKING:
    from sealtrail.archive_client.delivery import Delivered
    from sealtrail.archive_client.outbox import Due
    from sealtrail.archive_client.setting import ArchiveSetting
    from sealtrail.commands.output import Session
    from sealtrail.evidence.certificate import FleetKey
    from sealtrail.keys.wallet import WalletEntry
    from sealtrail.radio.evidence_store import EvidenceStore
    from sealtrail.radio.visitor import Visitor

_VISIT_TIMEOUT_S = 5.0  # a tag's session must not hang on a bad network
ArchiveOption = Annotated[
    str | None,
    typer.Option("--archive", help="The archive to bring it to.  [`archive use`]", metavar="URL"),
]
TokenOption = Annotated[
    Path | None,
    typer.Option("--archive-token", help="The file with its token.", metavar="FILE"),
]


class ArchivePart:
    """What one `sync` does for the archive; nothing where none is named."""

    def __init__(
        self, session: "Session", entry: "WalletEntry", url: str | None, token_file: Path | None
    ) -> None:
        from sealtrail.archive_client.setting import chosen

        self._session = session
        self._entry = entry
        self._setting = chosen(session.home, url, token_file)
        if self._setting is not None:
            self._setting.client().close()  # a token that cannot be used is said now
        self._alarms: tuple[str, ...] = ()

    def begin(self, store_path: Path) -> None:
        """Makes the upload due, durable before the visit: killed anywhere, it stays due."""
        if self._setting is None:
            return
        from sealtrail.archive_client.outbox import ArchiveOutbox

        with contextlib.closing(ArchiveOutbox(self._session.home)) as outbox:
            now_ms = self._session.clock.now_ms()
            outbox.put(self._setting.url, self._entry.tid, self._entry.serial, store_path, now_ms)

    async def visit(self, visitor: "Visitor", store: "EvidenceStore") -> None:
        """Brings the tag what lies ready for it, and the time."""
        from sealtrail.archive_client.errand import Errand

        session, setting = self._session, self._setting
        client = None if setting is None else setting.client(_VISIT_TIMEOUT_S)
        with client or contextlib.nullcontext():
            fleet = _fleet_keys(session)
            errand = Errand(session.home, session.clock, self._entry.tid, client, fleet)
            outcome = await errand.run(visitor, store, session.detail)
        self._alarms = outcome.alarms

    def warn_of_alarms(self) -> None:
        """Says what the tag's answers to a receipt prove."""
        for name in self._alarms:
            self._session.warn(
                f"{self._entry.serial} answers {name} to the archive's receipt: its log is not"
                " what it was. Have it examined."
            )

    def finish(self) -> dict[str, object]:
        """Delivers what is due, of this tag and others; returns the field for programs."""
        self.warn_of_alarms()
        if self._setting is None:
            return {}
        done = deliver_due(self._session, self._setting)
        mine = next((one for one in done if one.tid == self._entry.tid), None)
        return {
            "archive": {
                "url": self._setting.url,
                "is_delivered": mine is not None and not mine.problem,
                "receipt_seq": mine.receipt_seq if mine else None,
                "alarms": list(self._alarms),
            }
        }


def deliver_due(session: "Session", setting: "ArchiveSetting") -> "list[Delivered]":
    """Sends all that is due and says what became of it; raises nothing for a bad network."""
    from sealtrail.archive_client.delivery import Courier
    from sealtrail.archive_client.outbox import ArchiveOutbox

    with (
        contextlib.closing(ArchiveOutbox(session.home)) as outbox,
        setting.client() as client,
    ):
        courier = Courier(session.home, session.clock, client, _fleet_keys(session))
        done = courier.flush(outbox)
    for one in done:
        if one.problem:
            session.warn(f"{one.serial}: not all is in the archive: {one.problem}")
        else:
            receipt = "no receipt" if one.receipt_seq is None else f"receipt {one.receipt_seq}"
            session.say(f"{one.serial}: the archive holds all to record {one.head_seq}, {receipt}")
    return done


def _fleet_keys(session: "Session") -> "list[FleetKey]":
    """Those of fleet.pub; none where it is missing: then no receipt is taken home."""
    from sealtrail.evidence.trust import TrustStore

    try:
        return TrustStore(session.home).fleet_keys()
    except UsageError as problem:
        session.detail(f"{problem.message}: receipts cannot be checked")
        return []


def archive_use(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="The archive's address.", metavar="URL")],
    token_file: Annotated[
        Path, typer.Option(help="The file with this home's token, mode 0600.", metavar="FILE")
    ],
) -> None:
    """Makes an archive the one that `sync` brings everything to. Asks it who we are.

    \b
    Example:
      sealtrail archive use https://archive.example:8443 --token-file dock-3.token
    """
    from sealtrail.archive_client.client import checked_url
    from sealtrail.archive_client.setting import ArchiveSetting

    session = session_of(context)
    setting = ArchiveSetting(checked_url(url), token_file.expanduser().absolute())
    with setting.client() as client:
        known = client.me()
    path = setting.keep(session.home)
    session.say(f"{setting.url}: here we are '{known.get('name')}', {known.get('role')}")
    session.answer({"url": setting.url, "client": known, "file": path})


def archive_push(
    context: typer.Context, archive: ArchiveOption = None, archive_token: TokenOption = None
) -> None:
    """Sends what still has to go to the archive, without a visit to a tag.

    \b
    Exit: 0 all of it is there; 1 the archive refused some; 4 the network failed, repeat.

    \b
    Example:
      sealtrail archive push
    """
    from sealtrail.archive_client.outbox import ArchiveOutbox
    from sealtrail.archive_client.setting import chosen

    session = session_of(context)
    setting = chosen(session.home, archive, archive_token)
    if setting is None:
        raise UsageError("no archive is named", "--archive URL, or `sealtrail archive use`.")
    done = deliver_due(session, setting)
    with contextlib.closing(ArchiveOutbox(session.home)) as outbox:
        left = outbox.waiting(setting.url)
    session.answer(
        {
            "delivered": [one.serial for one in done if not one.problem],
            "left": [
                {
                    "serial": one.serial,
                    "state": one.state,
                    "since": iso(one.since_ms),
                    "tries": one.attempt_count,
                    "detail": one.detail,
                }
                for one in left
            ],
        }
    )
    _end(left)


def _end(left: "list[Due]") -> None:
    if any(one.state == "refused" for one in left):
        raise EvidenceRefused("the archive has refused evidence", "Have the tag examined.")
    if left:
        raise LinkError(f"{len(left)} tags' evidence is not in the archive yet", "Repeat later.")
