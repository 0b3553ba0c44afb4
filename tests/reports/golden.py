"""Write the golden reports anew: python -m tests.reports.golden."""

from __future__ import annotations

from reports import csv_table, html_page, json_lines
from tests.reports import sample
from tests.reports.page import read
from tests.reports.test_html_page import GOLDEN, outline

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / "page.txt").write_text(outline(read(html_page.render(sample.small()))), "utf-8")
    (GOLDEN / "night.csv").write_bytes(csv_table.render(sample.small()))
    (GOLDEN / "night.jsonl").write_bytes(json_lines.render(sample.small()))
