"""The page over a folder of results, as `demo`, `predict` and `visualize` leave it behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote

from embedseg.viz.arrays import Picture
from embedseg.viz.html import Value, data_uri, number, page, save_page, table, tiles

INDEX = "index.html"
THUMB = 480  # pixels of a card's picture, which stands in the page itself
_EMBEDDED = 200  # cards with a picture; beyond, the page would grow heavy


@dataclass(frozen=True)
class SummaryRow:
    """One image of a summary: a card with its picture, links and figures, and a line of the table.

    `links` maps a word to a file inside the folder; the first is also the target of the picture.
    """

    name: str
    picture: Picture | None = None  # RGB uint8 (H, W, 3), such as an overlay
    links: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Value] = field(default_factory=dict)


def write_summary_page(
    folder: str | Path,
    rows: Sequence[SummaryRow],
    *,
    title: str,
    intro: str = "",
    facts: Mapping[str, Value] | None = None,
    figures: Sequence[tuple[str, Picture]] = (),
) -> Path:
    """Write `folder`/index.html, one HTML file that shows the results, and return its path.

    `facts` are large figures at the top (name -> value), `figures` wide pictures with captions,
    `rows` cards in a grid. The pictures are inside the file; only links point beside it.
    """
    parts = [f"<h1>{escape(title)}</h1>\n"]
    if intro:
        parts.append(f'<p class="intro">{escape(intro)}</p>\n')
    parts.append(tiles(facts or {}))
    for caption, picture in figures:
        parts.append(figure(data_uri(picture), caption))
    if rows:
        cards = "".join(_card(row, index < _EMBEDDED) for index, row in enumerate(rows))
        parts.append(f'<h2>Images</h2>\n<div class="cards">\n{cards}</div>\n')
    if any(row.facts for row in rows):
        lines: list[dict[str, Value]] = [{"image": row.name, **row.facts} for row in rows]
        parts.append("<h2>Figures</h2>\n" + table(lines))
    return save_page(Path(folder) / INDEX, page(title, "".join(parts)))


def figure(source: str, caption: str, *, chart: bool = False) -> str:
    """Picture of `source` (a URI) with a caption; a chart stands on white in dark pages too."""
    kind = ' class="chart"' if chart else ""
    return (
        f'<figure{kind}><img src="{source}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def _card(row: SummaryRow, embedded: bool) -> str:
    links = [(word, quote(target)) for word, target in row.links.items()]
    shot = ""
    if row.picture is not None and embedded:
        source = data_uri(row.picture, side=THUMB)
        shot = f'<img loading="lazy" src="{source}" alt="{escape(row.name)}">'
        shot = f'<a class="shot" href="{links[0][1]}">{shot}</a>' if links else (
            f'<div class="shot">{shot}</div>'
        )  # fmt: skip
    facts = " · ".join(f"{escape(key)} {number(value)}" for key, value in row.facts.items())
    words = " ".join(f'<a href="{target}">{escape(word)}</a>' for word, target in links)
    lines = "".join(f"<p>{text}</p>" for text in (facts, words) if text)
    return f'<div class="card">{shot}<h3>{escape(row.name)}</h3>{lines}</div>\n'
