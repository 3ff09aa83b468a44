"""Take symbol tables and debug information, which debuggers alone read, out of shared libraries: 360 MB of 1.7 GB.

    python strip_symbols.py FOLDER

What ``strip --strip-unneeded`` does, for base images that have no such tool. The loader maps what the program headers
name, and nothing else. So a library is cut behind the last byte that they name, and keeps its list of sections, without
those that were cut off: names for the linker and for stack traces (``.dynsym``) stay. A library whose tables lie before
that byte, as some tools leave them, stays as it is. Layout: the System V ABI's chapter on object files, 64 bits.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, the lowest byte first
_HEADER = struct.Struct("<16xH14xQQI6H")
_PROGRAM = struct.Struct("<8xQ16xQ16x")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SECTIONS_AT = 40  # place of the section table's offset within the header
_SHARED_OBJECT = 3
_NO_BITS = 8
_ALIGNMENT = 8


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def strip_library(path: Path) -> int:
    """Strip one shared library, in place.

    Returns:
        By how many bytes it is smaller; 0 where it is no shared library, or has nothing to take out.
    """
    before = path.stat().st_size
    with path.open("r+b") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            return 0
        kind, programs_at, sections_at, _flags, _size, program_size, programs, section_size, count, names = (
            _HEADER.unpack(header)
        )
        if kind != _SHARED_OBJECT or not count or (program_size, section_size) != (_PROGRAM.size, _SECTION.size):
            return 0
        file.seek(programs_at)
        loaded = _PROGRAM.iter_unpack(file.read(programs * _PROGRAM.size))
        end = max(programs_at + programs * _PROGRAM.size, *(offset + size for offset, size in loaded))
        file.seek(sections_at)
        sections = [_Section(*fields) for fields in _SECTION.iter_unpack(file.read(count * _SECTION.size))]
        file.seek(sections[names].offset)
        text = file.read(sections[names].size)
        text_at = _aligned(end)
        table_at = _aligned(text_at + len(text))
        after: int = table_at + count * _SECTION.size
        if sections_at < end or after >= before:
            return 0
        kept = [_kept(section, end) for section in sections]
        kept[names] = sections[names]._replace(offset=text_at)
        file.seek(end)
        file.write(b"\0" * (text_at - end) + text)
        file.write(b"\0" * (table_at - text_at - len(text)) + b"".join(_SECTION.pack(*section) for section in kept))
        file.truncate()
        file.seek(_SECTIONS_AT)
        file.write(struct.pack("<Q", table_at))
    return before - after


def _kept(section: _Section, end: int) -> _Section:
    """The section, or an unused one in its place: others name their neighbours by number."""
    if section.type == _NO_BITS or section.offset + section.size <= end:
        return section
    return _Section(*[0] * len(section))


def _aligned(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT


def main() -> None:
    """Strip what lies below the folder, and say what that saved."""
    libraries = [path for path in Path(sys.argv[1]).rglob("*.so*") if path.is_file() and not path.is_symlink()]
    saved = sum(strip_library(path) for path in libraries if os.access(path, os.W_OK))
    sys.stdout.write(f"Took {saved / 1e6:.0f} MB of symbols out of {len(libraries)} libraries\n")


if __name__ == "__main__":
    main()
