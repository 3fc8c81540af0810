"""Generated sections of a Markdown document, between `<!-- begin NAME -->` and `<!-- end NAME -->`."""

from __future__ import annotations


def replace_section(text: str, name: str, body: str) -> str:
    """Return `text` with the section's content replaced; raise ValueError unless there is exactly one such section."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"there must be one section {name}")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{body}{end}{after}"
