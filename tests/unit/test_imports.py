# SPDX-License-Identifier: MIT
"""Who may import whom: the table of ARCHITECTURE.md, held against every import statement."""

import ast
from pathlib import Path

import pytest

from tests.paths import REPO

HOST = REPO / "host_tools/sealtrail"
TAG = REPO / "firmware/tag"

_HARDWARE = ("machine", "esp32", "aioble", "bluetooth")
_UPPER = ("tag.app", "tag.visit", "tag.dock")
# folder or file: prefixes of modules it must not import
FORBIDDEN = {
    "firmware/sealwire": ("tag", "sealtrail", "machine", "aioble", "bluetooth", "boards"),
    "firmware/tag/drivers": ("machine", "aioble", "bluetooth", "esp32"),
    "firmware/tag/store": (*_HARDWARE, "asyncio", *_UPPER, "tag.keys", "tag.recording"),
    "firmware/tag/keys": (*_HARDWARE, *_UPPER),
    "firmware/tag/recording": (*_HARDWARE, *_UPPER, "tag.keys"),
    "firmware/tag/sensing": (*_HARDWARE, *_UPPER, "tag.keys", "tag.recording"),
    "host_tools/sealtrail/evidence": ("sealwire", "tag", "sealtrail.radio", "sealtrail.commands"),
    "host_tools/sealtrail/analysis": ("sealtrail.radio", "sealtrail.commands", "bleak", "tag"),
    "host_tools/sealtrail/report": ("sealtrail.radio", "sealtrail.commands", "bleak", "tag"),
    "host_tools/sealtrail/custody": ("sealtrail.radio", "sealtrail.commands", "bleak", "tag"),
    "host_tools/sealtrail/archive": ("sealtrail.radio", "sealtrail.commands", "bleak", "tag"),
    "host_tools/sealtrail/archive_client": ("sealtrail.archive", "sealtrail.commands", "tag"),
    "host_tools/sealtrail/keys": ("sealtrail.radio", "bleak", "tag"),
    "host_tools/sealtrail": ("tag", "boards", "tests"),
}


def imports_of(path: Path) -> set[str]:
    """Every module named by an import statement of *path*; relative ones made absolute."""
    parts = list(path.relative_to(REPO).with_suffix("").parts[1:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def is_under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


@pytest.mark.parametrize("place", FORBIDDEN)
def test_no_module_imports_what_its_folder_must_not(place: str):
    wrong = [
        f"{path.relative_to(REPO)}: {module}"
        for path in sorted((REPO / place).rglob("*.py"))
        for module in sorted(imports_of(path))
        for prefix in FORBIDDEN[place]
        if is_under(module, prefix)
    ]
    assert wrong == []


def test_only_the_app_builds_the_radio_and_nothing_imports_the_app():
    for path in sorted(TAG.rglob("*.py")):
        modules = imports_of(path)
        if path.parent.name != "dock" and path.stem != "app":
            assert not any(is_under(m, "tag.app") for m in modules), path.name
        if path.stem not in ("app", "radio", "gatt"):
            assert not any(is_under(m, "tag.visit.gatt") or is_under(m, "aioble") for m in modules)


def test_nothing_imports_the_commands_but_the_command_line():
    for path in sorted(HOST.rglob("*.py")):
        if "commands" in path.parts or path.stem in ("cli", "__main__"):
            continue
        assert not any(is_under(m, "sealtrail.commands") for m in imports_of(path)), path.name
