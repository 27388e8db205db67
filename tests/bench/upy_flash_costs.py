# SPDX-License-Identifier: MIT
# Runs on MicroPython: counts what journal, record log and littlefs do to the same NOR flash.
import json

import vfs
from nor import Nor

from tag.journal import Journal
from tag.recordlog import RecordLog, recover_pair
from tag.ringlog import Ring, RingFull

SAMPLES = 20_000
SAMPLE_SIZE = 12  # two probes
BLOCK = 64
RECORD_SIZE = 213  # 64 readings of one probe, signed (facts: signing)
LOG_SECTORS = 512
JOURNAL_SECTORS = 16
LITTLEFS_SAMPLES = 1_000


def journal_on(device):
    return Journal(Ring(device, 0, JOURNAL_SECTORS, entry_size_max=768, reserve_slots=24))


def records_on(device, first_sector, sector_count):
    return RecordLog(
        Ring(device, first_sector, sector_count, entry_size_max=1100, reserve_slots=24)
    )


def measure_journal():
    """Erases and bytes programmed for SAMPLES samples, one free mark a block."""
    device = Nor(JOURNAL_SECTORS)
    journal = journal_on(device)
    journal.open()
    values = [-19600, 2150]
    for number in range(SAMPLES):
        journal.append_sample(number * 60_000, values)
        if number % BLOCK == BLOCK - 1:
            journal.free(journal.next)
    return {
        "erases_per_1000": device.erases * 1000 / SAMPLES,
        "write_amplification": device.program_size / (SAMPLES * SAMPLE_SIZE),
        "spread": max(device.erases_of) - min(device.erases_of),
    }


def measure_littlefs():
    """The same samples appended to one file of littlefs as esp32 mounts it, flushed each."""
    device = Nor(64)
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(vfs.VfsLfs2(device), "/bench")
    with open("/bench/log", "ab") as file:
        # The first 128 bytes are inline and cheaper: not part of a log's life.
        file.write(bytes(4096))
        file.flush()
        device.clear_counts()
        for number in range(LITTLEFS_SAMPLES):
            file.write(number.to_bytes(SAMPLE_SIZE, "little"))
            file.flush()
        erases, size = device.erases, device.program_size
    vfs.umount("/bench")
    return {
        "erases_per_1000": erases * 1000 / LITTLEFS_SAMPLES,
        "write_amplification": size / (LITTLEFS_SAMPLES * SAMPLE_SIZE),
    }


def fill(append):
    count = 0
    try:
        while True:
            append()
            count += 1
    except RingFull:
        return count


def measure_capacity():
    """Readings that 2 MiB of record log hold, none of them receipted."""
    records = records_on(Nor(LOG_SECTORS), 0, LOG_SECTORS)
    records.open()
    record = bytes(RECORD_SIZE)
    return fill(lambda: records.append(record, 0)) * BLOCK


def measure_recovery():
    """Reads, bytes read and programs of a boot with both logs full, 2 MiB together."""
    device = Nor(LOG_SECTORS)
    journal = journal_on(device)
    records = records_on(device, JOURNAL_SECTORS, LOG_SECTORS - JOURNAL_SECTORS)
    journal.open()
    records.open()
    record = bytes(RECORD_SIZE)
    fill(lambda: records.append(record, 0))
    fill(lambda: journal.append_sample(0, [0, 0]))
    device.clear_counts()
    journal = journal_on(device)
    records = records_on(device, JOURNAL_SECTORS, LOG_SECTORS - JOURNAL_SECTORS)
    journal.open()
    records.open()
    recover_pair(journal, records)
    return {"reads": device.reads, "bytes": device.read_size, "programs": device.programs}


print(
    json.dumps(
        {
            "journal": measure_journal(),
            "littlefs": measure_littlefs(),
            "readings_2mb": measure_capacity(),
            "recovery": measure_recovery(),
        }
    )
)
