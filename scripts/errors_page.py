"""Writes docs/errors.md, the error catalogue as a page, from the rows in force: `python scripts/errors_page.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lasso_trio.providers.catalogue import SECTIONS, Catalogue, Row, current
from lasso_trio.providers.verdict import CATEGORY_OF, EFFECTS, ErrorClass

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"
INTRODUCTION = """\
# What the errors of Ethereum providers mean

Made from `lasso_trio/providers/catalogue.toml` by `scripts/errors_page.py`; edit the rows, not this page. The texts
were collected from clients, vendors, proxies and their users' reports. Codes and messages reach clients as the provider
sent them; the class decides what the proxy does. A provider's own `error_rules` in the profile come before all of this.

Sections are asked from top to bottom, and the first row that fits wins. Texts are compared in lower case, anywhere in
the message unless the section says otherwise. An answer without a JSON-RPC error is judged by *status*, by texts of the
classes `rate_limit` and `quota`, and by *last*.

## Rows of your own

`LASSO_CATALOGUE_FILE` names a file of the same format, with any of its sections. A row with the name of one below takes
its place; others are asked before those of their section. It is read at the start (a mistake stops it) and at each
reload (a mistake leaves the old rows in force and is logged, with its line).

```toml
[[text]]
name = "busy-vendor"
class = "rate_limit"
text = ["come back in a minute"]
seen = ["our vendor"]
```

"""


def render(catalogue: Catalogue) -> str:
    """The page."""
    return "\n".join(
        [
            INTRODUCTION,
            *_classes(),
            *(line for section in SECTIONS for line in _section(catalogue, section)),
            *_numbers(catalogue),
        ]
    )


def _classes() -> Iterator[str]:
    yield "## Classes\n"
    yield "| Class | Meaning | Another provider? | Breaker | Cooldown | Learned |"
    yield "|---|---|---|---|---|---|"
    for error_class, effect in EFFECTS.items():
        learned = "by row" if error_class in (ErrorClass.SPLIT, ErrorClass.CAPABILITY) else effect.learning or "–"
        yield _line(
            f"`{error_class}`",
            effect.meaning,
            effect.failover,
            effect.breaker,
            effect.cooldown,
            learned.replace("_", " "),
        )
    yield "\n`repeatable`: only calls that may be repeated. `once`: such calls, one other provider. `weighted`: half a"
    yield "failure, as the deadline may be to blame. `quarantine`: out for longer. `hinted`: as told, else backing off."
    yield "`long`: minutes to hours. A 503 that counts is left alone as its `Retry-After` says, for 300 s at most;"
    yield "what nobody has reported counts where a probe is told it: its question has no mistakes in it."


def _section(catalogue: Catalogue, section: str) -> Iterator[str]:
    yield f"\n## {section}: {SECTIONS[section][0]}\n"
    yield "| Row | When | Class | Category | Learned | Seen |"
    yield "|---|---|---|---|---|---|"
    for row in catalogue.rows[section]:
        category = row.category or CATEGORY_OF[row.error_class]
        judged = f"`{row.error_class}`" + (f"; `{row.sent}` when a transaction is sent" if row.sent else "")
        seen = ", ".join(row.seen) + (f". {row.note}" if row.note else "")
        yield _line(f"`{row.name}`", "; ".join(_conditions(row)), judged, f"`{category}`", row.learning or "–", seen)


def _conditions(row: Row) -> Iterator[str]:
    if row.status:
        yield "HTTP " + ", ".join(str(status) for status in row.status)
    if row.code:
        yield "code " + ", ".join(str(code) for code in row.code)
    if row.between:
        yield f"{row.between[0]} to {row.between[1]}"
    for what, texts in (("", row.data + row.text), ("and all of ", row.also), ("unless ", row.unless)):
        if texts:
            yield what + " · ".join(f"`{text}`" for text in texts)
    if row.heeds:
        yield "unless the text is of " + ", ".join(f"`{error_class}`" for error_class in row.heeds)
    if row.bare:
        yield "no JSON-RPC error in it"


def _numbers(catalogue: Catalogue) -> Iterator[str]:
    yield "\n## number: where a text names a limit\n"
    yield "Regular expressions, asked in order; `#` is a number (`10,000`, `2K`), `#x` a hexadecimal one.\n"
    yield "| Of | Patterns | Seen |"
    yield "|---|---|---|"
    for number in catalogue.numbers:
        seen = ", ".join(number.seen) + (f". {number.note}" if number.note else "")
        yield _line(f"`{number.of}`", " · ".join(f"`{text}`" for text in number.pattern), seen)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    PAGE.write_text(render(current()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
