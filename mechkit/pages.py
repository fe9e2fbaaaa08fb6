"""Pages of HTML that need nothing else: no network, no other file."""

from __future__ import annotations

from importlib.resources import files


def document(title: str, body: str, *, css: str = "", scripted: bool = False) -> str:
    """A whole page in the house style. title, body: HTML; css: after that of all pages; scripted:
    whether what can be hovered and filtered answers."""
    assets = files("mechkit")
    style = assets.joinpath("page.css").read_text(encoding="utf-8") + css
    script = ""
    if scripted:
        script = f"<script>\n{assets.joinpath('page.js').read_text(encoding='utf-8')}</script>\n"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}: mechkit</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{body}\n{script}</body>\n</html>\n"
    )
