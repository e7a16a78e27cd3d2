"""The pictures of the HTML report: one module each, functions of plain values that return SVG."""
