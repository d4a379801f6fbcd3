"""Text from a host or a coordinator made harmless for a terminal. Everything printed comes by here.

A control sequence in a diff could paint a false plan over the true one.
"""

from __future__ import annotations

import re

# C0 and C1 controls and DEL (ECMA-48), the bidirectional controls (Unicode TR 9), the invisible
# joiners and marks that make two names look alike, line separators, lone surrogates.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff"
    r"\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\x1b"}


def safe(text: str) -> str:
    """Return one line of text in which each character that a terminal would obey is written out."""
    return _UNSAFE.sub(_written, text)


def safe_diff(text: str) -> str:
    """Return a line of a file's content, made harmless, with tabs shown as spaces."""
    return safe(text.rstrip("\r\n").expandtabs(4))


def json_safe(text: str) -> str:
    """Return JSON text of ASCII in which the one control that JSON leaves is escaped."""
    return text.replace("\x7f", "\\u007f")


def _written(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
