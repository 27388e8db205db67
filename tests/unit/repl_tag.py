# SPDX-License-Identifier: MIT
"""A tag for tests of the serial line: real MicroPython on a littlefs in RAM.

`MicroPythonRepl` runs code in one MicroPython process, as the raw REPL of a board would.
`PtyTag` puts it behind a pseudo-terminal that speaks the raw REPL protocol, so that
mpremote's transport is really used. `DockTag` answers dock requests in Python instead.
"""

import binascii
import contextlib
import hashlib
import os
import pty
import re
import select
import subprocess
import threading
import tty
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import DeviceError
from sealtrail.keys.certificate import sign1
from tests.micropython import MICROPYTHON

_DRIVER = """
import sys, vfs, binascii, io
class Ram:
    def __init__(self, count): self.b = bytearray(count * 512)
    def readblocks(self, n, buf, off=0): buf[:] = self.b[n*512+off:n*512+off+len(buf)]
    def writeblocks(self, n, buf, off=0): self.b[n*512+off:n*512+off+len(buf)] = buf
    def ioctl(self, op, arg):
        if op == 4: return len(self.b) // 512
        if op == 5: return 512
        if op == 6: return 0
vfs.umount('/')
ram = Ram(int(sys.argv[1]))
vfs.VfsLfs2.mkfs(ram)
vfs.mount(vfs.VfsLfs2(ram), '/')
sys.path[:] = ['', '.frozen', '/lib']
scope = {'__name__': '__main__'}
while True:
    line = sys.stdin.readline()
    if not line: break
    try:
        exec(binascii.unhexlify(line.strip()), scope)
        print('\\x04OK')
    except BaseException as e:
        said = io.StringIO(); sys.print_exception(e, said)
        print('\\x04ER' + binascii.hexlify(said.getvalue().encode()).decode())
"""


class MicroPythonRepl:
    """One MicroPython process with *kibibytes* of file system; use as a context manager."""

    def __init__(self, kibibytes: int = 1024, die_at_run: int = -1) -> None:
        self.run_count = 0
        self.die_at_run = die_at_run
        self._process = subprocess.Popen(
            [MICROPYTHON, "-X", "heapsize=16M", "-c", _DRIVER, str(kibibytes * 2)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "MicroPythonRepl":
        return self

    def __exit__(self, *args: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def raw(self, code: str) -> tuple[str, str]:
        """(what *code* printed, its traceback)."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(binascii.hexlify(code.encode()).decode() + "\n")
        self._process.stdin.flush()
        printed = ""
        while True:
            line = self._process.stdout.readline()
            assert line, "the MicroPython process died"
            before, mark, after = line.partition("\x04")
            printed += before
            if mark:
                return printed, binascii.unhexlify(after[2:].strip()).decode()

    def run(self, code: str, timeout_s: float = 10) -> str:
        self.run_count += 1
        if self.run_count == self.die_at_run:
            raise DeviceError("the tag reports: the line was cut")
        printed, trace = self.raw(code)
        if trace:
            raise DeviceError(f"the tag reports: {trace.strip().splitlines()[-1]}")
        return printed

    def write_file(self, path: str, content: bytes, wrote: Any = lambda size: None) -> None:
        self.run(f"f=open({path!r},'wb'); f.write({content!r}); f.close()")
        wrote(len(content))

    def files(self) -> dict[str, bytes]:
        """Every file of the tag."""
        code = (
            "import os, binascii\n"
            "def walk(d):\n"
            " for e in os.ilistdir(d or '/'):\n"
            "  p = d + '/' + e[0]\n"
            "  if e[1] & 0x4000: walk(p)\n"
            "  else: print(p, binascii.hexlify(open(p, 'rb').read()).decode())\n"
            "walk('')"
        )
        lines = [line.split(" ") for line in self.raw(code)[0].splitlines()]
        return {path: bytes.fromhex(content) for path, content in lines}


class PtyTag:
    """A pseudo-terminal with a raw REPL behind it; *mode* "silent" or "babble": a bad one."""

    def __init__(self, repl: MicroPythonRepl | None, mode: str = "raw") -> None:
        self._repl = repl
        self._mode = mode
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._slave = slave
        self.port = os.ttyname(slave)
        self.reset_count = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "PtyTag":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._is_over.set()
        self._thread.join(10)
        os.close(self._slave)
        os.close(self._master)

    def _serve(self) -> None:
        buffer = b""
        while not self._is_over.is_set():
            if self._mode == "babble":
                with contextlib.suppress(BlockingIOError):
                    os.set_blocking(self._master, False)
                    os.write(self._master, b"temperature -196 and falling\r\n")
                self._is_over.wait(0.01)
                continue
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            buffer += os.read(self._master, 65536)
            if self._mode == "raw":
                buffer = self._answer(buffer)

    def _answer(self, buffer: bytes) -> bytes:
        banner = b"raw REPL; CTRL-B to exit\r\n>"
        while buffer:
            if b"\x05A\x01" in buffer:
                self._send(b"R\x00")  # understood, but no raw paste here
                buffer = buffer.replace(b"\x05A\x01", b"", 1)
            elif b"\x01" in buffer:
                self._send(banner)
                buffer = buffer.split(b"\x01", 1)[1]
            elif buffer.startswith(b"\x04"):
                self._send(b"OK\r\nMPY: soft reboot\r\nboot.py says hello\r\n" + banner)
                buffer = buffer[1:]
            elif b"\x04" in buffer:
                code, buffer = buffer.split(b"\x04", 1)
                self._execute(code.decode())
            else:
                break
        return buffer

    def _execute(self, code: str) -> None:
        assert self._repl
        if "machine.reset()" in code:
            self.reset_count += 1
            self._send(b"OK")
            return
        printed, trace = self._repl.raw(code)
        self._send(b"OK" + printed.encode() + b"\x04" + trace.encode() + b"\x04>")

    def _send(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._master, content[:1024]) :]


def chained(
    certificate: bytes, count: int, begun: list[bytes] | None = None, kind: int = 0
) -> list[bytes]:
    """*count* records that continue each other, after *begun*; their signatures are zeros."""
    records = list(begun or [])
    for _ in range(count):
        prev = hashlib.sha256(records[-1] if records else certificate).digest()
        fields = {0: kind, 1: len(records), 2: prev, 3: [1, 5]}
        payload = cbor2.dumps(fields, canonical=True)
        records.append(cbor2.dumps(cbor2.CBORTag(18, [b"\xa1\x01\x27", {}, payload, bytes(64)])))
    return records


class DockTag:
    """Answers dock requests as firmware/tag/dock/serve.py does. *fail_at*: an op that cuts.

    *unsealed_count*: readings that no record covers; *is_full*: the log takes no record.
    """

    def __init__(self, fail_at: int | None = None) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.certificate: bytes | None = None
        self.access_key = os.urandom(32)
        self.records: list[bytes] = []
        self.acknowledged = -1
        self.is_enrolled_key = False
        self.checks: list[list[Any]] = [["flash", 1, "ok"]]
        self.asked: list[int] = []
        self.clock: tuple[int, int] | None = None
        self.fail_at = fail_at
        self.fail_after = False
        self.proof_nonce: bytes | None = None
        self.wrong_key = False
        self.unsealed_count = 0
        self.is_full = False
        self.first_seq = 0  # older ones are overwritten
        self.is_ended = False
        self.is_key_lost = False

    def run(self, code: str, timeout_s: float = 10) -> str:
        found = re.search(r"serve_one\('([0-9a-f]*)'\)", code)
        assert found, code
        request = cbor2.loads(bytes.fromhex(found.group(1)))
        op, args = request[0], request[1]
        self.asked.append(op)
        if op == self.fail_at and not self.fail_after:
            raise DeviceError("cut before the answer")
        answer = self._serve(op, args)
        if op == self.fail_at:
            raise DeviceError("cut after the work")
        return "some boot noise\r\nST1 " + cbor2.dumps(answer, canonical=True).hex() + "\r\n"

    def _serve(self, op: int, args: dict[int, Any]) -> dict[int, Any]:
        head = len(self.records) - 1
        if op == 1:
            found = {
                1: b"\x01\x02",
                2: "virtual",
                3: "0.1.0",
                4: int(self.certificate is not None and not self.is_ended),
                8: self._key_state(),
                9: int(self.is_ended),
            }
            found |= {5: head, 6: self.acknowledged, 11: self.unsealed_count}
            if self.records:
                found[10] = hashlib.sha256(self.records[-1]).digest()
            if self.certificate:
                found[7] = hashlib.sha256(self.certificate).digest()[:8]
            return {0: 0, 1: found}
        if op == 2:
            return {0: 0, 1: {1: self.checks}}
        if op == 3:
            if self.certificate is not None:
                return {0: 7, 1: "it has a key and a certificate"}
            self.key = Ed25519PrivateKey.generate()
            return {0: 0, 1: {1: self._proof(args)}}
        if op == 4:
            self.certificate, self.records, self.unsealed_count = args[1], [], 0
            return {0: 0, 1: {1: self.access_key}}
        if op == 5:
            self.clock = (args[1], args[2])
            return {0: 0}
        if op == 6:
            first = max(args[1], self.first_seq)
            piece = self.records[first:][:2]
            return {0: 0, 1: {1: piece, 2: head, 3: self.certificate, 4: first}}
        if op == 8:
            if self._holds_unreceipted() and not args.get(1):
                return {0: 2, 1: "records are in no archive"}
            self._forget()
            return {0: 0}
        if op == 10:
            return self._end(args)
        if op == 11:
            if not self.is_ended:
                return {0: 11, 1: "decommission it first"}
            if args[1] != hashlib.sha256(self.records[-1]).digest():
                return {0: 9, 1: "this is not the farewell"}
            self._forget()
            return {0: 0}
        if op == 15:
            assert self.certificate
            if not self.is_full and self.unsealed_count:
                self.records = chained(self.certificate, 1, self.records)
                self.unsealed_count = 0
            return {0: 0, 1: {1: self.unsealed_count}}
        return {0: 1, 1: "unknown operation"}

    def _forget(self) -> None:
        self.certificate, self.records, self.unsealed_count = None, [], 0
        self.is_ended = self.is_key_lost = False

    def _key_state(self) -> int:
        if self.certificate is None or self.is_ended:
            return 0
        return 2 if self.is_key_lost else 1

    def _end(self, args: dict[int, Any]) -> dict[int, Any]:
        if self.certificate is None:
            return {0: 3}
        if not self.is_ended:
            head = len(self.records) - 1
            if 1 not in args and head > self.acknowledged:
                return {0: 2, 1: "records are in no archive"}
            if 1 in args:
                head_hash = hashlib.sha256(self.records[-1]).digest()
                if (args[1], args[2]) != (head, head_hash):
                    return {0: 9, 1: "the newest record is another one"}
            if self.is_key_lost:
                return {0: 10, 1: "no key is left"}
            self.records = chained(self.certificate, 1, self.records, kind=5)
            self.is_ended, self.unsealed_count = True, 0
        farewell = hashlib.sha256(self.records[-1]).digest()
        return {0: 0, 1: {1: len(self.records) - 1, 2: farewell}}

    def _holds_unreceipted(self) -> bool:
        holds = self.unsealed_count or len(self.records) - 1 > self.acknowledged
        return self.certificate is not None and bool(holds)

    def _proof(self, args: dict[int, Any]) -> bytes:
        signer = Ed25519PrivateKey.generate() if self.wrong_key else self.key
        payload = {
            1: self.key.public_key().public_bytes_raw(),
            2: self.proof_nonce or hashlib.sha256(args[1]).digest(),
            3: b"\x01\x02",
            4: args[2],
        }
        return sign1(signer, cbor2.dumps(payload, canonical=True))
