# SPDX-License-Identifier: MIT
"""The life of the signing key on the tag's own interpreter, with the tag's own arithmetic."""

from datetime import date
from pathlib import Path

import pytest

from sealtrail.errors import VerifyError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.verify import judge
from tests.micropython import run_upy

HERE = Path(__file__).parent


def test_the_dock_refuses_what_it_must_and_forgets_what_it_should():
    out = run_upy(HERE / "keylife_dock.py", paths=(HERE,))
    assert out.count("test_") == 11, out


def test_the_host_believes_every_epoch_that_the_tag_signed():
    lines = run_upy(HERE / "keylife_trip.py", paths=(HERE,)).splitlines()
    fleet_key, evidence, attestation = (bytes.fromhex(line) for line in lines[-3:])
    fleet = [FleetKey("test", VerifyingKey(fleet_key), date(2000, 1, 1), date(2100, 1, 1))]
    judged = judge(evidence, fleet)
    kinds = [payload.kind for payload in judged.payloads]
    assert kinds.count(3) == 4 and kinds[-1] == 6 and kinds[:-1].count(6) == 0
    unsigned = judged.sizes[-1]
    # The attestation stands over the last proven record, by the epoch key in force there.
    judge(evidence[:-unsigned] + attestation, fleet)
    broken = bytearray(attestation)
    broken[-1] ^= 1
    with pytest.raises(VerifyError, match="R18"):
        judge(evidence[:-unsigned] + bytes(broken), fleet)
