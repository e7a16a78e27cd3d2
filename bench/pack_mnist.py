"""Pack the four gzipped idx files of MNIST into the archive that the package carries.

Usage: python bench/pack_mnist.py FOLDER_WITH_GZ_FILES
"""

import gzip
import io
import sys
import tarfile
from pathlib import Path

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
ARCHIVE = Path(__file__).parents[1] / "src/unspool/guide/mnist.tar.xz"

if __name__ == "__main__":
    source = Path(sys.argv[1])
    with tarfile.open(ARCHIVE, "w:xz", format=tarfile.USTAR_FORMAT, preset=6) as archive:
        for name in NAMES:
            content = gzip.decompress((source / f"{name}.gz").read_bytes())
            entry = tarfile.TarInfo(name)  # its time stays 0: the same archive every time
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size / 1e6:.2f} MB")
