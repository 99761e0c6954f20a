"""docs/reliability.md lists the failpoints as they are: `python -m tests.laws.test_reliability`."""

from pathlib import Path

from dialer.failpoints import POINTS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
MARK = "<!-- failpoints: drawn by python -m tests.laws.test_reliability -->\n"


def draw_failpoints() -> str:
    rows = [f"| `{name}` | {meaning} |\n" for name, meaning in POINTS.items()]
    return "".join(["| failpoint | what is true there |\n| --- | --- |\n", *rows])


def test_the_page_shows_the_failpoints() -> None:
    _, _, shown = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert shown == "\n" + draw_failpoints()


if __name__ == "__main__":
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(f"{head}{mark}\n{draw_failpoints()}", encoding="utf-8")
