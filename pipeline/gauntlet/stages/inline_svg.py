"""This module provides pictures inside a page: SVG in the page's colours, or a data address that cannot act."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from markupsafe import Markup

from gauntlet.core.results import Figure
from gauntlet.stages.palette import recoloured

# A drawing has no need of any of these; one that holds them is shown as an image, where nothing in it can act.
_ACTIVE = re.compile(
    r"<\s*(script|foreignobject|iframe|a|animate|set|image)\b|\son\w+\s*=|javascript:|@import|url\(\s*[^#\s]",
    re.IGNORECASE,
)
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


def inlined(path: Path, figure: Figure) -> Markup | None:
    """Return the HTML of a figure; None if its file is gone or is not the one that was drawn."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != figure.file.sha256 or path.suffix not in _KINDS:
        return None
    if path.suffix == ".svg":
        text = _drawing(content.decode("utf-8", errors="replace"))
        if text and not _ACTIVE.search(text):
            return _as_svg(text, figure)
    address = f"data:{_KINDS[path.suffix]};base64,{base64.b64encode(content).decode('ascii')}"
    return Markup('<img alt="{}" src="{}">').format(figure.title, address)


def _drawing(text: str) -> str:
    """Return the ``svg`` element alone, without metadata."""
    start, end = text.find("<svg"), text.rfind("</svg>")
    if start < 0 or end < 0:
        return ""
    return re.sub(r"<(metadata|title|style)\b.*?</\1>\s*", "", text[start : end + 6], flags=re.DOTALL)


def _as_svg(text: str, figure: Figure) -> Markup:
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="([0-9. -]+)"', head)
    # Identifiers hold for the whole page, so each figure's get its name in front.
    prefix = f"{re.sub(r'[^a-z0-9]', '-', figure.name.lower())}-"
    body = re.sub(r'\bid="', f'id="{prefix}', body)
    body = re.sub(r'href="#', f'href="#{prefix}', body)
    body = body.replace("url(#", f"url(#{prefix}")
    opening = Markup('<svg class="figure" role="img" aria-label="{}" viewBox="{}">').format(
        figure.title, box.group(1) if box else "0 0 720 400"
    )
    return opening + Markup(recoloured(body.replace("xlink:href", "href")))  # noqa: S704 - checked for active content
