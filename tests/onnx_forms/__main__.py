"""Write docs/onnx.md: about a minute."""

from concurrent.futures import ProcessPoolExecutor

from onnx_forms.page import PAGE, page
from onnx_forms.rows import graphs, row

if __name__ == "__main__":
    operators = sorted(graphs(), key=lambda op: -len(graphs()[op]))  # what takes longest first
    with ProcessPoolExecutor() as pool:
        PAGE.write_text(page(dict(zip(operators, pool.map(row, operators), strict=True))))
