"""This module provides the one palette of figures and report: safe for colour-blind eyes, in a light and a dark form.

Blue and orange stay apart under every common colour blindness, and no meaning is carried by colour alone.
"""

from __future__ import annotations

from types import MappingProxyType

LIGHT = MappingProxyType(
    {
        "paper": "#f7f8f6",
        "card": "#ffffff",
        "ink": "#1c2632",
        "muted": "#586473",
        "line": "#dbe0e6",
        "faint": "#eef1f3",
        "negative": "#7a8ea6",
        "positive": "#c2640c",
        "accent": "#15609f",
        "good": "#14735a",
        "bad": "#b0361c",
        "notice": "#fff4d6",
        "notice-ink": "#6b4a00",
    }
)

DARK = MappingProxyType(
    {
        "paper": "#10151b",
        "card": "#171e26",
        "ink": "#e7ecf2",
        "muted": "#9ba8b6",
        "line": "#2d3844",
        "faint": "#202933",
        "negative": "#8499b3",
        "positive": "#f0a24f",
        "accent": "#6fb4f0",
        "good": "#5fc7a0",
        "bad": "#ff8f75",
        "notice": "#3a2f10",
        "notice-ink": "#ffdf94",
    }
)


def as_css(colours: MappingProxyType[str, str]) -> str:
    """Return a palette as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def recoloured(svg: str) -> str:
    """Return an SVG text with the light palette's colours replaced by the page's custom properties.

    So a figure inside the report follows the reader's light or dark scheme.
    """
    for name, value in LIGHT.items():
        svg = svg.replace(value, f"var(--{name})")
    return svg
