# SPDX-License-Identifier: MIT
"""Cuts the power at every flash operation of a workload. Runs on both interpreters.

The workload runs once while every operation is recorded. Then the flash is rebuilt at each
operation, that operation is torn in every way of `nor`, and the tag boots: what it finds must
lie between what was promised before the cut and what was under way (`check`). Life goes on
(`carry_on`), metastable bits fall the other way, the tag boots again and must find exactly
what it promised. `sweep_twice` cuts the second life as well, inside recovery too.

A scenario has: sector_count; open(device) -> world; workload(world) and
carry_on(world, low, high), generators that yield the promised state after each durable step;
state_of(world); check(world, low, high) -> None or what is wrong; mend(world) -> world, what
the firmware does after an error.
"""

try:
    import nor
except ImportError:
    from tests.fakes import nor

_SAMPLES_MAX = 8


class Tally:
    """States seen, bad ones, and the first few bad ones in words."""

    def __init__(self):
        self.states = 0
        self.bad = 0
        self.samples = []

    def note(self, where, wrong):
        self.states += 1
        if wrong is None:
            return
        self.bad += 1
        if len(self.samples) < _SAMPLES_MAX:
            self.samples.append(f"{where}: {wrong}")


class Recording:
    """A workload's operations, and the promised state after each step."""

    def __init__(self, scenario):
        device = nor.Nor(scenario.sector_count)
        device.log = self.ops = []
        world = scenario.open(device)
        self.steps = [(0, scenario.state_of(world))]
        for state in scenario.workload(world):
            self.steps.append((len(device.log), state))
        self.violations = device.violations
        self.erases = device.erases

    def bounds(self, op_count):
        """Returns (promised, under way) after *op_count* operations."""
        low = 0
        for number, (done, _) in enumerate(self.steps):
            if done <= op_count:
                low = number
        high = min(low + 1, len(self.steps) - 1)
        return self.steps[low][1], self.steps[high][1]


def cuts(ops, memory):
    """Yields (number, fault, apply) for every torn state; *memory* moves on with the ops.

    apply(target) tears *target*, a copy of *memory*, and returns its Trace.
    """
    dice = nor.Dice(7)
    for number, op in enumerate(ops):
        pages = nor.pages_of(op)
        if len(pages) > 1:
            # A driver might program in another order: torn all over, but stable.
            for fault in ("half", "alternating", "random"):
                yield number, "whole " + fault, _tearing(op, fault, dice)
        for page in pages:
            for fault in nor.ERASE_FAULTS if page[2] is None else nor.PROGRAM_FAULTS:
                yield number, fault, _tearing(page, fault, dice)
            nor.apply_op(memory, page)
    yield len(ops), "none", None


def _tearing(op, fault, dice):
    return lambda target: nor.tear(target, op, fault, dice)


def sweep(scenario, tally, stop_at_bad=False, keep=lambda number: True):
    """Cuts at every operation for which keep(number). Returns the Recording."""
    recording = Recording(scenario)
    tally.note("workload", "violations" if recording.violations else None)
    device = nor.Nor(scenario.sector_count)
    memory = bytearray(device.memory)
    for number, fault, apply in cuts(recording.ops, memory):
        if not keep(number):
            continue
        device.memory[:] = memory
        trace = apply(device.memory) if apply else None
        low, high = recording.bounds(number)
        wrong = _live_twice(scenario, device, trace, low, high)
        tally.note(f"op {number} {fault}", wrong)
        if wrong and stop_at_bad:
            break
    return recording


def _live_twice(scenario, device, trace, low, high):
    """Boots, goes on, lets bits settle, boots again. Returns what is wrong, or None."""
    device.log = []
    device.violations = 0
    try:
        world = scenario.open(device)
        wrong = scenario.check(world, low, high)
        if wrong:
            return wrong
        state = scenario.state_of(world)
        for state in scenario.carry_on(world, low, high):  # noqa: B007 (the last one counts)
            pass
        if device.violations:
            return f"{device.violations} violations"
        if trace:
            trace.settle(device.memory, device.log)
        wrong = scenario.check(scenario.open(device), state, state)
        return wrong and "second boot: " + wrong
    except Exception as e:  # whatever a broken guard lets through is one bad state
        return "raised " + repr(e)


def sweep_twice(scenario, tally, keep, first_faults, second_faults, stop_at_bad=False):
    """Cuts the first life where keep(number), then its successor at every operation."""
    recording = Recording(scenario)
    device = nor.Nor(scenario.sector_count)
    memory = bytearray(device.memory)
    for number, fault, apply in cuts(recording.ops, memory):
        if apply is None or fault not in first_faults or not keep(number):
            continue
        image = bytearray(memory)
        trace = apply(image)
        low, high = recording.bounds(number)
        _sweep_second(scenario, tally, device, image, trace, low, high, second_faults, number)
        if tally.bad and stop_at_bad:
            break
    return recording


def _sweep_second(scenario, tally, device, image, trace, low, high, second_faults, number):
    device.memory[:] = image
    device.log = []
    try:
        world = scenario.open(device)
        opened = len(device.log)
        seen = scenario.state_of(world)
        steps = [(0, low, high), (opened, seen, seen)]
        for state in scenario.carry_on(world, low, high):
            steps[-1] = (steps[-1][0], steps[-1][1], state)
            steps.append((len(device.log), state, state))
    except Exception as e:
        tally.note(f"op {number}", "raised " + repr(e))
        return
    # Before `open` is through, the second life may still find what the first might have.
    ops, device.log = device.log, None
    second_memory = bytearray(image)
    for second, fault, apply in cuts(ops, second_memory):
        if fault not in second_faults:
            continue
        device.memory[:] = second_memory
        second_trace = apply(device.memory) if apply else None
        low2, high2 = [step[1:] for step in steps if step[0] <= second][-1]
        where = f"op {number} then op {second} {fault}"
        wrong = _live_after_two(scenario, device, trace, ops[:second], second_trace, low2, high2)
        tally.note(where, wrong)


def _live_after_two(scenario, device, trace, ops, second_trace, low, high):
    """As `_live_twice`, with bits of both cuts that settle before the last boot."""
    device.log = []
    device.violations = 0
    try:
        world = scenario.open(device)
        wrong = scenario.check(world, low, high)
        if wrong:
            return wrong
        state = scenario.state_of(world)
        for state in scenario.carry_on(world, low, high):  # noqa: B007
            pass
        if device.violations:
            return f"{device.violations} violations"
        trace.settle(device.memory, ops + device.log)
        if second_trace:
            second_trace.settle(device.memory, device.log)
        wrong = scenario.check(scenario.open(device), state, state)
        return wrong and "third boot: " + wrong
    except Exception as e:
        return "raised " + repr(e)


def sweep_errors(scenario, tally, stop_at_bad=False):
    """Lets each operation fail with OSError: before it, half-way, and after it was done.

    The scenario retries (`attempt`). At the error, and at the end, the flash must boot into a
    promised state; the living world must end as promised too.
    """
    recording = Recording(scenario)
    for number in range(len(recording.ops)):
        for mode in ("before", "half", "after"):
            wrong = _fail_once(scenario, recording, number, mode)
            tally.note(f"error {mode} op {number}", wrong)
            if wrong and stop_at_bad:
                return recording
    return recording


def _fail_once(scenario, recording, failing, mode):
    device = nor.Nor(scenario.sector_count)
    found = []

    def fail(number, op):
        if number != failing:
            return -1
        size = nor.SECTOR_SIZE if op[2] is None else len(op[2])
        if mode == "before":
            raise OSError(5)
        return size // 2 if mode == "half" else size

    def look(done, adjust):
        """Boots a copy of the flash as it is after the error; asks the living world too."""
        copy = nor.Nor(scenario.sector_count, image=device.memory)
        after = min(done + 1, len(recording.steps) - 1)
        low, high = adjust(recording.steps[done][1]), adjust(recording.steps[after][1])
        found.append(scenario.check(scenario.open(copy), low, high))
        found.append(scenario.check(scenario.mend(worlds[0]), low, high))

    worlds = []
    try:
        device.before_op = fail
        scenario.on_error = look
        world = scenario.open(device)
        worlds.append(world)
        state = scenario.state_of(world)
        for state in scenario.workload(world):  # noqa: B007
            pass
        wrong = [w for w in found if w]
        if wrong:
            return wrong[0]
        if not found:
            return "the error did not reach the workload"
        if device.violations:
            return f"{device.violations} violations"
        return scenario.check(world, state, state) or scenario.check(
            scenario.open(nor.Nor(scenario.sector_count, image=device.memory)), state, state
        )
    except Exception as e:
        return "raised " + repr(e)
    finally:
        scenario.on_error = None


def attempt(scenario, done, action, meanwhile=None):
    """Runs *action*; on OSError looks (*done* steps are complete), does *meanwhile*, retries.

    *meanwhile* returns how it moves promised states; then the flash is looked at again.
    """
    for _ in range(3):
        try:
            return action()
        except OSError:
            if scenario.on_error is None:
                raise
            scenario.on_error(done, lambda state: state)
            if meanwhile:
                scenario.on_error(done, meanwhile())
    raise AssertionError("three errors in a row")
