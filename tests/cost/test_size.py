# SPDX-License-Identifier: MIT
"""The sizes that `make size` shows, and the reader of .mpy files below them."""

import pytest

from tests.cost import size
from tests.cost.conftest import EditFirmware
from tests.cost.limits import LIMITS
from tests.cost.mpy import ARCHITECTURES, RV32IMC, XTENSAWIN, MpyError, compile_file, parse
from tests.cost.mpy import _compiled as compiled_bytes
from tests.paths import FIRMWARE

COMB = FIRMWARE / size.PACKAGE / "comb.py"


def test_the_report_sums_up_to_the_budgets_rows():
    rows = size.measure()
    for column, architecture in ((0, XTENSAWIN), (1, RV32IMC)):
        shown = [line.split()[-4:] for line in size.report(rows)[1:]]
        numbers = [int(numbers[column].replace(",", "")) for numbers in shown]
        assert sum(numbers) == size.sums(rows, architecture)["exec bytes"]


def test_a_size_above_its_budget_fails_make_size(monkeypatch, capsys):
    rows = size.measure(only_signing=True)
    monkeypatch.setattr(size, "measure", lambda: rows)
    assert size.main() == 0
    above = {**LIMITS, (XTENSAWIN, "exec bytes"): 10_000}
    monkeypatch.setattr(size, "LIMITS", above)
    assert size.main() == 1
    assert [
        line.split()[:3] for line in capsys.readouterr().out.split("\n") if "ABOVE" in line
    ] == [["xtensawin", "exec", "bytes"]]


def test_native_code_outside_the_signing_package_counts(edit_firmware: EditFirmware):
    root = edit_firmware("comb.py", "import micropython", "import micropython")
    before = size.signing_sizes(RV32IMC, root)["exec bytes"]
    more = "import micropython\n\n\n@micropython.viper\ndef f(a: int) -> int:\n    return a + 1\n"
    (root / "tag" / "other.py").write_text(more)
    assert size.signing_sizes(RV32IMC, root)["exec bytes"] > before + 20


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_compiled_module_has_its_functions_and_their_size(architecture: str):
    module = compile_file(COMB, architecture)
    native = [function for function in module.functions if function.kind]
    assert module.architecture == architecture
    assert len(native) == 1
    assert 0 <= module.exec_size - len(native[0].code) < 4
    assert module.bytecode_size + module.exec_size < module.size


def test_a_file_that_is_cut_or_goes_on_or_is_none_is_refused():
    octets = compiled_bytes(COMB.read_bytes(), RV32IMC)
    for wrong in (b"", octets[:3], octets[:-1], octets[:40], octets + b"\0", b"N" + octets[1:]):
        with pytest.raises(MpyError):
            parse(wrong)
    with pytest.raises(MpyError, match="architecture"):
        parse(octets[:2] + bytes([5 << 2 | 3]) + octets[3:])


def test_source_that_does_not_compile_is_told_with_the_compilers_words(tmp_path):
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(MpyError, match="SyntaxError"):
        compile_file(tmp_path / "bad.py", RV32IMC)
