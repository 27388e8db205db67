# SPDX-License-Identifier: MIT
"""Builds the radio side of the tag: who may come in, what a session gets, what adverts say."""

from sealwire import labels

from .. import version
from ..ed25519.sign import verify
from .admission import Admission
from .adverts import AdvertIds, Live
from .gatt import GattService
from .session import AccessSession


class Condition:
    """The tag as an open advert and the status characteristic show it."""

    def __init__(self, app):
        self._app = app

    @property
    def is_private(self) -> bool:
        """True during a trip: then adverts carry an opaque id and no value."""
        return self._app.trip.is_open

    @property
    def fill_permille(self) -> int:
        """How full the record log is, 0..1000."""
        return self._app.storage.fill_permille

    @property
    def is_alarmed(self) -> bool:
        """Whether a rule of the profile is broken now."""
        return self._app.sampler.is_alarmed

    @property
    def is_refusing(self) -> bool:
        """Whether readings are refused for want of room."""
        return self._app.recorder.is_refusing

    def live(self) -> Live:
        """The newest values; None where the probe is in fault or was not read yet."""
        app = self._app
        values = app.sampler.last_values
        temp_centi_c = values[0] if values and values[0] < labels.FAULT_BASE else None
        return Live(
            temp_centi_c,
            app.board.battery_percent(),
            app.is_lid_open,
            app.is_tilted,
            app.has_problem,
        )


def build(app) -> GattService:
    """The GATT service of *app*, ready to run. Raises ImportError, OSError without a radio."""
    state = app.storage.state
    admission = Admission(state, app.recorder, app.uptime)
    admission.load()
    condition = Condition(app)

    def new_session():
        return AccessSession(
            admission,
            state,
            app.recorder,
            app.trip,
            app.clock,
            app.entropy,
            verify,
            app.key_roll,
            condition,
        )

    return GattService(
        new_session,
        AdvertIds(admission, app.entropy.random, app.uptime),
        condition,
        app.uptime,
        app.note_fault,
        app.board.title,
        version.VERSION,
    )
