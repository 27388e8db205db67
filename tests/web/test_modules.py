# SPDX-License-Identifier: MIT
"""The page's modules keep the house style, as far as it can be seen from outside (no ESLint)."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.paths import REPO
from tests.web.node import STATIC, node, run_node

MODULES = sorted(STATIC.glob("*.js"))
# Modules with DOM, radio or storage; everything else is the core that node can run.
_SCREENS = "screens screen_enrol screen_tags screen_visit screen_handover"
PAGE = frozenset(f"{name}.js" for name in f"page database {_SCREENS}".split())
_LINES_MAX = 300
# A page's globals, and what may change what a module does from outside.
_GLOBALS = "document window navigator localStorage indexedDB fetch globalThis self process console"
_FORBIDDEN = re.compile(
    r"\b(?:" + "|".join(_GLOBALS.split()) + r")\s*[.\[(]|\beval\(|new Function|innerHTML|\bvar\b"
    r"|import\(|Date\.now|Math\.random|\brequire\("
)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)
_IMPORT = re.compile(r'^(?:import|\}) .*from "([^"]+)";$|^\} from "([^"]+)";$', re.MULTILINE)


def _code(source: str) -> str:
    """Without comments."""
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", source, flags=re.DOTALL)


def test_node_loads_every_module():
    # Finds what `node --check` does, and names that no module exports.
    core = [file.name for file in MODULES if file.name not in PAGE]
    assert len(core) > 20
    run_node("load.mjs", *core)
    for name in PAGE:
        subprocess.run([node(), "--check", str(STATIC / name)], check=True)


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_a_module_is_short_and_says_what_it_does(file: Path):
    lines = file.read_text().splitlines()
    assert lines[:2] == ["// SPDX-License-Identifier: MIT", "// @ts-check"]
    assert lines[2].startswith("/**")
    assert len(lines) <= _LINES_MAX
    assert max(map(len, lines)) <= 99
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_every_export_is_documented(file: Path):
    source = file.read_text()
    assert _EXPORT.search(source)
    for found in _EXPORT.finditer(source):
        before = source[: found.start()].rstrip()
        assert before.endswith("*/"), f"{found.group(1)} says nothing"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_the_core_knows_no_page_no_clock_and_no_console(file: Path):
    if file.name in PAGE:
        pytest.skip("part of the page")
    found = _FORBIDDEN.findall(_code(file.read_text()))
    assert not found, found


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_imports_are_modules_of_this_folder_and_used(file: Path):
    source = file.read_text()
    for match in _IMPORT.finditer(source):
        name = match.group(1) or match.group(2)
        assert name.startswith("./") and (STATIC / name[2:]).is_file(), name
    for block in re.findall(r"^import \{([^}]+)\}", source, re.MULTILINE):
        for name in re.findall(r"\w+", block):
            uses = len(re.findall(rf"\b{name}\b", _code(source)))
            assert uses > 1, f"{file.name}: {name} is imported and not used"


def test_the_folder_holds_nothing_but_our_own_modules():
    names = {file.name for file in STATIC.iterdir()}
    others = {"package.json", "index.html", "style.css", "icon.svg"}
    assert names - {file.name for file in MODULES} <= others
    assert (REPO / "host_tools" / "sealtrail" / "phone" / "__init__.py").is_file()
