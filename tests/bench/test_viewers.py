"""What the viewers' bench makes of what it measured."""

from __future__ import annotations

from viewers import ROWS, Figures, Taken, table


def figures(cpu: dict[str, list[float]], p99: float = 1.0) -> Figures:
    made = Figures()
    for name in ROWS:
        at_rest = name == "nobody looks"
        made.taken[name] = [Taken(each, 0.5, 1.0 if at_rest else p99, 0, 50.0) for each in cpu[name]]
    return made


CHEAP = {"nobody looks": [20.0, 24.0], "50 viewers": [22.0, 26.5], "10 stalled viewers": [20.0, 24.0]}


def test_a_row_is_compared_with_the_window_of_its_own_round() -> None:
    assert figures(CHEAP).extra("50 viewers") == [2.0, 2.5]
    assert figures(CHEAP).missed == []


def test_missed_marks_are_named() -> None:
    dear = CHEAP | {"50 viewers": [24.0, 27.5]}
    assert figures(dear).missed == ["50 viewers cost 3.8 % of a core, more than 3"]
    slow = figures(CHEAP, p99=1.2).missed
    assert [text.partition(":")[0] for text in slow] == ["50 viewers", "10 stalled viewers"]


def test_the_table_has_a_line_for_each_row() -> None:
    text = table(figures(CHEAP))
    assert "| 50 viewers | 24.2 | 2.2 (2.0 to 2.5) | 0.50 | 1.00 (1.00-1.00) | 50 |" in text
