"""The licences of what is installed: `make licences` prints them."""

import re
from importlib.metadata import Distribution

from dependencies import brought, core

COMPATIBLE = {
    "0BSD",
    "Apache-2.0",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
    "Zlib",
}
"""What a program under Apache-2.0 may need. MPL-2.0 binds who changes files that are under it."""

_MEANT = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}

_NOT_SAID = {
    "namex": "Apache-2.0",  # its LICENSE file
    "tflite-micro": "Apache-2.0",  # LICENSE of github.com/tensorflow/tflite-micro
}
"""Whose metadata has no licence, and what was read elsewhere."""


def licences(name: str, package: Distribution) -> set[str]:
    """Names as SPDX writes them, or what stands there; all of them, where there is a choice too."""
    metadata = package.metadata
    classifiers = [
        each.split(" :: ")[-1]
        for each in metadata.get_all("Classifier", [])
        if each.startswith("License :: ") and each != "License :: OSI Approved"
    ]
    said: list[str] = (
        metadata.get_all("License-Expression", [])
        or classifiers
        or metadata.get_all("License", [])
        or [_NOT_SAID.get(name, "none")]
    )
    return {_MEANT.get(part, part) for each in said for part in re.split(" AND | OR ", each)}


def of_core() -> dict[str, tuple[str, set[str]]]:
    """Name -> version and licences of what the core brings along."""
    packages = brought(core())
    return {
        name: (packages[name].version, licences(name, packages[name])) for name in sorted(packages)
    }


if __name__ == "__main__":
    for name, (version, names) in of_core().items():
        print(f"{name} {version}: {', '.join(sorted(names))}")
