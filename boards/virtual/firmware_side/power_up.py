# SPDX-License-Identifier: MIT
"""Powers the virtual board up, in a chip's order: clock, flash, buses, file system, program.

Everything of ours is imported and every file of the host is opened first; then `/` becomes
the tag's flash and the modules stay in sys.modules, as if they were built in. Two private
marks on stdout tell the supervisor where it is: _UP before boot.py, _REPL before the prompt.
"""

import json
import os
import sys

import turnable_clock
import turnable_modules
import utime
import vfs

_UP = b"\0vtag-up\0"
_REPL = b"\0vtag-repl\0"
_FATAL = ("reset", "watchdog", "sleep", "cut")
_SECTOR_SIZE = 4096


def run(main_globals: dict) -> None:
    """Powers up, then runs boot.py and, unless the REPL is in raw mode, main.py."""
    setup = json.loads(os.getenv("VTAG_SETUP"))
    sys.path[:0] = setup["modules"]
    report = _Reporter(setup["run"]).report
    turnable_clock.start(setup["run"], setup["offset_us"], setup["at_us"], report)
    sys.modules["time"] = sys.modules["utime"] = turnable_modules.Time
    sys.modules["select"] = sys.modules["uselect"] = turnable_modules.Select
    with open(setup["board"]) as f:
        board = json.load(f)
    _build_modules(setup, board, report)
    _build_world(setup, board)
    _mount(setup)
    sys.stdout.buffer.write(_UP)
    if _run_file("boot.py", main_globals) and setup["mode"] != "raw":
        _run_file("main.py", main_globals)
    sys.stdout.buffer.write(_REPL)


class _Reporter:
    """Lines to the supervisor. After a fatal one it answers with SIGKILL."""

    def __init__(self, run_dir):
        self._fifo = open(run_dir + "/tell", "wb")

    def report(self, line):
        self._fifo.write((line + "\n").encode())
        while line.split()[0] in _FATAL:
            try:
                utime.sleep(3600)
            except KeyboardInterrupt:
                pass


def _build_modules(setup, board, report):
    import esp32_virtual
    import kept_memory
    import machine_virtual
    import nor_chip

    kept_memory.start(setup["run"])
    machine_virtual.start(board, setup["cause"], report)
    sys.modules["machine"] = sys.modules["umachine"] = machine_virtual
    flash = board["flash"]
    chip = nor_chip.NorChip(setup["run"], flash["size"], len(flash["regions"]), report)
    esp32_virtual.install(chip, flash["regions"])
    sys.modules["esp32"] = esp32_virtual
    _build_bluetooth()


def _build_bluetooth():
    """The interpreter's own `bluetooth` where it has a controller to talk to, else ours."""
    if os.getenv("MICROPYBTUART"):
        turnable_modules.serve_native_radio()
        return
    try:
        import bluetooth_virtual
    except ImportError:
        return
    sys.modules["bluetooth"] = bluetooth_virtual


def _build_world(setup, board):
    import virtual_wiring

    world = None
    if setup["scenario"]:
        from scenario import Environment

        world = Environment(setup["scenario"], turnable_clock.now_ms, setup["scenario_start_ms"])
    virtual_wiring.attach(board, world, setup["run"])
    turnable_clock.set_environment(world)


def _mount(setup):
    from esp32_virtual import Partition

    host_root = vfs.VfsPosix(setup["aioble"]) if setup["aioble"] else None
    vfs.umount("/")
    device = Partition.find(Partition.TYPE_DATA, label="vfs")[0]
    try:
        vfs.mount(device, "/")
    except OSError:
        if _is_formatted(device):
            # As on the chip: a broken file system is never formatted over.
            print("The filesystem appears to be corrupted; nothing is mounted at /.")
        else:
            vfs.VfsLfs2.mkfs(device)
            vfs.mount(device, "/")
    if host_root:
        vfs.mount(host_root, "/rom")
    sys.path[:] = ["", ".frozen", "/lib", "/rom"]
    os.chdir("/")


def _is_formatted(device):
    """True if either superblock bears littlefs's name (its SPEC.md, superblock)."""
    sector = bytearray(_SECTOR_SIZE)
    for block in (0, 1):
        device.readblocks(block, sector)
        if b"littlefs" in sector:
            return True
    return False


def _run_file(name, main_globals):
    try:
        with open(name) as f:
            source = f.read()
    except OSError:
        return True
    try:
        exec(compile(source, name, "exec"), main_globals)
        return True
    except (Exception, KeyboardInterrupt) as e:
        sys.print_exception(e)
        return False
