"""Files that PyTorch's exporters wrote, `frontend/pytorch/make_files.py` says how."""

import tarfile
from pathlib import Path

_ARCHIVE = Path(__file__).parent / "frontend" / "pytorch" / "torch.tar.xz"


def names() -> list[str]:
    """Of the files, samples and their outputs among them, in order."""
    with tarfile.open(_ARCHIVE) as archive:
        return sorted(archive.getnames())


def unpacked(folder: Path, name: str = "") -> Path:
    """A folder with all of them, or the path of one in it."""
    with tarfile.open(_ARCHIVE) as archive:
        if name:
            archive.extract(name, folder, filter="data")
        else:
            archive.extractall(folder, filter="data")
    return folder / name
