"""HTML and SVG that can not be written unescaped: only `Markup` passes as it is."""

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]

_VOID = frozenset({"br", "img", "link", "meta"})


def join(*children: Child) -> Markup:
    """Returns the children one after the other: markup as it is, other text escaped, None left out."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif child is None:
            continue
        elif isinstance(child, Iterable) and not isinstance(child, str):
            parts.append(join(*child))
        else:
            parts.append(html.escape(str(child)))
    return Markup("".join(parts))


def element(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Returns one element.

        element("p", "a < b", class_="note")  ->  <p class="note">a &lt; b</p>

    In attribute names a trailing underscore is dropped and others become dashes; True stands for an attribute
    without a value, None and False leave it out.
    """
    written = []
    for key, value in attributes.items():
        label = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(f" {label}")
        elif value is not None and value is not False:
            shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
            written.append(f' {label}="{html.escape(str(shown))}"')
    start = f"<{name}{''.join(written)}>"
    return Markup(start if name in _VOID else f"{start}{join(*children)}</{name}>")


def paragraphs(text: str, **attributes: str) -> Markup:
    """Returns the text with one paragraph for every run of lines between blank lines."""
    blocks = (block.strip() for block in text.split("\n\n"))
    return join(*(element("p", block, **attributes) for block in blocks if block))
