"""What the documentation lists is what there is."""

import re
from pathlib import Path

from weir_local.faults import RATES

DOCS = Path(__file__).parents[2] / "docs"


def test_operations_explains_each_fault_once() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    table = text.partition("| Fault | What fails |")[2].partition("\n\n")[0]
    first_cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    named = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted({*RATES, "fail_records"})
