# SPDX-License-Identifier: MIT
"""What is counted of firmware/tag/ed25519: a field multiply, a hash block, whole operations.

Counts are of viper code only and exact: the same code and the same sizes give the same number,
for every key and message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cost.firmware_import import import_firmware
from tests.cost.machine import Machine, Tally
from tests.cost.mpy import ARCHITECTURES, RV32IMC, XTENSAWIN
from tests.cost.rv32 import Rv32Machine
from tests.cost.size import PACKAGE, signing_sizes
from tests.cost.unicorn_rv32 import UnicornMachine
from tests.cost.xtensa import XtensaMachine
from tests.paths import FIRMWARE

SEED = bytes(range(32))
MESSAGE = bytes(range(150))  # a record's size
HEDGE = bytes(range(32, 64))

# Steps of the field VM, as in tools/generate_field_vm.py: operation, target, source, source 2
# (of a square: how often).
MULTIPLY = b"\x00\x04\x05\x06"
SQUARE_ONCE, SQUARE_TWICE = b"\x01\x04\x05\x01", b"\x01\x04\x05\x02"

# unicorn counts; where every access is looked at, the translator is faster.
_COUNTING: dict[str, type[Machine]] = {RV32IMC: UnicornMachine, XTENSAWIN: XtensaMachine}
_WATCHING: dict[str, type[Machine]] = {RV32IMC: Rv32Machine, XTENSAWIN: XtensaMachine}
# The one table that a secret indexes: argument, bytes of an entry. docs/signing-cost.md, 3.
SECRET_INDEXED = {"tag.ed25519.comb._load_entry": (0, 120)}


@dataclass
class Tag:
    """The tag's signing code on one machine; *sign* is the module tag.ed25519.sign."""

    machine: Machine
    sign: Any

    def tally_of(self, call: Callable[[], object]) -> Tally:
        """What *call* costs."""
        self.machine.tally = tally = Tally()
        call()
        self.machine.tally = Tally()
        return tally

    def program(self, steps: bytes) -> int:
        """Instructions of one run of the field VM."""
        point = self.sign.engine().point
        return self.tally_of(lambda: point.run(steps)).instruction_count


def make_tag(
    architecture: str,
    *,
    is_strict: bool = False,
    is_traced: bool = False,
    root: Path = FIRMWARE,
) -> Tag:
    """Loads the signing code, compiled for *architecture*, onto a machine of its own."""
    kinds = _WATCHING if is_strict or is_traced else _COUNTING
    machine = kinds[architecture](is_strict=is_strict, is_traced=is_traced)
    machine.secret_indexed = SECRET_INDEXED
    return Tag(machine, import_signing(machine, root))


def import_signing(machine: Machine, root: Path = FIRMWARE) -> Any:
    """The module tag.ed25519.sign with its viper functions in *machine*."""
    return import_firmware(machine, PACKAGE.replace("/", ".") + ".sign", root)


def count_all(architecture: str, root: Path = FIRMWARE) -> tuple[dict[str, int], Tally]:
    """Every count by its name in limits.py, and the tally of the signature."""
    tag = make_tag(architecture, root=root)
    made: list[Any] = []
    make_key = tag.tally_of(lambda: made.append(tag.sign.SigningKey(SEED)))
    key = made[0]
    sign = tag.tally_of(lambda: made.append(key.sign((MESSAGE,), HEDGE)))
    verify = [
        tag.tally_of(lambda: made.append(tag.sign.verify(key.public_key, made[1], (MESSAGE,))))
        for _ in range(2)
    ]
    if made[2:] != [True, True]:
        raise ValueError("a signature just made does not verify: these counts mean nothing")
    block = sign.by_function["tag.ed25519.sha512._compress"]
    tallies = [make_key, sign, *verify]
    counts = {
        "field multiply": tag.program(MULTIPLY * 2) - tag.program(MULTIPLY),
        "field square": tag.program(SQUARE_TWICE) - tag.program(SQUARE_ONCE),
        "SHA-512 block": block.instruction_count // block.call_count,
        "key generation": make_key.instruction_count,
        "sign": sign.instruction_count,
        "verify": verify[0].instruction_count,
        "verify, same key again": verify[1].instruction_count,
        "boxed integers": sum(tally.boxed_count for tally in tallies),
        **signing_sizes(architecture, root),
    }
    return counts, sign


def all_counts() -> dict[tuple[str, str], int]:
    """Every count of both processors, by (architecture, name)."""
    return {
        (architecture, name): count
        for architecture in ARCHITECTURES
        for name, count in count_all(architecture)[0].items()
    }
