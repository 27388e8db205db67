# SPDX-License-Identifier: MIT
# Runs on MicroPython: counts what journal, record log and littlefs do to the same NOR flash.
import json

import vfs
from clockwork import FakeRTC
from nor import Nor

from tag.store import rtcmemory
from tag.store.journal import Journal
from tag.store.recordlog import RecordLog, recover_pair
from tag.store.ringlog import Ring, RingFull

SAMPLES = 20_000
SAMPLE_SIZE = 12  # two probes: the payload of facts and goals; one probe has 9
ONE_PROBE_SIZE = 9
BLOCK = 64
RECORD_SIZE = 213  # 64 readings of one probe, signed (facts: signing)
LOG_SECTORS = 512
JOURNAL_SECTORS = 16
LITTLEFS_SAMPLES = 1_000


def journal_on(device, rtc=None):
    hint = rtc and rtcmemory.RingHint(rtc, rtcmemory.JOURNAL)
    return Journal(
        Ring(
            device,
            0,
            JOURNAL_SECTORS,
            entry_size_max=768,
            reserve_slots=24,
            reserve_sectors=1,
            hint=hint,
        )
    )


def records_on(device, first_sector, sector_count, rtc=None):
    hint = rtc and rtcmemory.RingHint(rtc, rtcmemory.RECORDS)
    return RecordLog(
        Ring(
            device,
            first_sector,
            sector_count,
            entry_size_max=1100,
            reserve_slots=24,
            reserve_sectors=2,
            hint=hint,
        )
    )


def measure_journal(values, size):
    """Erases and bytes programmed for SAMPLES samples of *values*, one free mark a block."""
    device = Nor(JOURNAL_SECTORS)
    journal = journal_on(device)
    journal.open()
    for number in range(SAMPLES):
        journal.append_sample(number * 60_000, values)
        if number % BLOCK == BLOCK - 1:
            journal.free(journal.next)
    return {
        "erases_per_1000": device.erases * 1000 / SAMPLES,
        "programmed_per_1000": device.program_size * 1000 / SAMPLES,
        "write_amplification": device.program_size / (SAMPLES * size),
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
        "programmed_per_1000": size * 1000 / LITTLEFS_SAMPLES,
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
    """Reads, bytes read and programs of a boot with both logs full, 2 MiB together.

    Cold: power was lost. Warm: after a reset, with what the RTC's memory kept.
    """
    device = Nor(LOG_SECTORS)
    rtc = FakeRTC()
    journal, records = both_on(device, rtc)
    record = bytes(RECORD_SIZE)
    fill(lambda: records.append(record, 0))
    fill(lambda: journal.append_sample(0, [0, 0]))
    warm = boot(device, rtc)
    rtc.lose_power()
    return {"cold": boot(device, rtc), "warm": warm}


def both_on(device, rtc):
    journal = journal_on(device, rtc)
    records = records_on(device, JOURNAL_SECTORS, LOG_SECTORS - JOURNAL_SECTORS, rtc)
    journal.open()
    records.open()
    return journal, records


def boot(device, rtc):
    device.clear_counts()
    recover_pair(*both_on(device, rtc))
    return {"reads": device.reads, "bytes": device.read_size, "programs": device.programs}


print(
    json.dumps(
        {
            "journal": measure_journal([-19600, 2150], SAMPLE_SIZE),
            "journal_1_probe": measure_journal([-19600], ONE_PROBE_SIZE),
            "littlefs": measure_littlefs(),
            "readings_2mb": measure_capacity(),
            "recovery": measure_recovery(),
        }
    )
)
