"""Writes docs/supported.md."""

from cases import CASES
from cases.page import PAGE, page

PAGE.write_text(page())
print(f"{PAGE.name}: {len(CASES)} cases")
