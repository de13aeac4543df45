"""The text that Prometheus reads: each family once, each value escaped, and read back the same."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.flow.exposition import Family, Sample, text

LINE = re.compile(r"(?P<name>[a-z_]+)(\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
PLAIN = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def read(exposed: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """A reader of our own: name and labels → value; anything else is an error."""
    found = {}
    for line in exposed.removesuffix("\n").split("\n"):
        if line.startswith(("# HELP ", "# TYPE ")):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        labels = match["labels"] or ""
        pairs = LABEL.findall(labels)
        assert "".join(f'{name}="{value}",' for name, value in pairs).rstrip(",") == labels
        plain = tuple(
            (name, re.sub(r'\\[\\"n]', lambda one: PLAIN[one[0]], value)) for name, value in pairs
        )
        found[match["name"], plain] = float(match["value"])
    return found


def test_a_family_reads_as_the_format_says() -> None:
    """Protects: help and kind once, before the samples; whole numbers without a point."""
    family = Family("hotline_x_total", "counter", "What\nit says.", [
        Sample(3, (("department", 'a"b\\c\n'),)), Sample(0.5),
    ])  # fmt: skip
    assert text([family]) == (
        "# HELP hotline_x_total What\\nit says.\n# TYPE hotline_x_total counter\n"
        'hotline_x_total{department="a\\"b\\\\c\\n"} 3\nhotline_x_total 0.5\n'
    )


@given(st.dictionaries(st.text(), st.floats(0, 1e15) | st.integers(0, 2**53), max_size=5))
def test_whatever_a_label_holds_is_read_back(values: dict[str, float]) -> None:
    """Protects: no label's text ends a line, or makes a sample of its own."""
    samples = [Sample(value, (("queue", label),)) for label, value in values.items()]
    found = read(text([Family("hotline_y", "gauge", "y", samples)]))
    assert found == {("hotline_y", (("queue", label),)): v for label, v in values.items()}
