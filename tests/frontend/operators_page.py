"""The list of operators in docs/pytorch.md: `python operators_page.py` writes it anew."""

from pathlib import Path

from unspool.frontend.onnx.assembling import FORMS
from unspool.frontend.torch.loading import TRANSLATIONS

PAGE = Path(__file__).parents[2] / "docs" / "pytorch.md"
MARK = "<!-- operators -->"


def listed() -> str:
    """The operators of ONNX and of ATen that have a form."""
    onnx = ", ".join(sorted(FORMS))
    aten = ", ".join(dict.fromkeys(name.split(".")[0] for name in sorted(TRANSLATIONS)))
    return f"{MARK}\n**ONNX**: {onnx}.\n\n**ATen**, in `.pt2` files: {aten}.\n{MARK}"


def page() -> str:
    """The page with that list."""
    before, _, rest = PAGE.read_text().partition(MARK)
    after = rest.rpartition(MARK)[2]
    return before + listed() + after


if __name__ == "__main__":
    PAGE.write_text(page())
