"""A package of somebody else that brings datasets to download, as pip would install it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from service.datasets import registry
from service.datasets.base import Download, DownloadFile
from service.domain.datasets import IdxDatasetSpec, ImageFacts

NAMES = {
    "images": "train-images-idx3-ubyte.gz",
    "labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
MODULE = '''"""Datasets of somebody else."""

import json
from pathlib import Path

from service.datasets.base import Download, DownloadFile
from service.domain.datasets import IdxDatasetSpec, ImageFacts


def __getattr__(name: str) -> Download:
    known = json.loads(Path(__file__).with_suffix(".json").read_text())
    if name not in known:
        raise AttributeError(name)
    return Download(
        spec=IdxDatasetSpec(**known[name]["spec"]),
        facts=ImageFacts(**known[name]["facts"]),
        mirrors=known[name]["mirrors"],
        files=[DownloadFile(**file) for file in known[name]["files"]],
    )
'''


def a_download(name: str, files: Mapping[str, bytes]) -> Download:
    """Describe files, by their roles, as a dataset to download; it has no mirror of its own."""
    spec = IdxDatasetSpec(name=name, type="idx")
    facts = registry.check(spec, {role: BytesIO(content) for role, content in files.items()}).facts
    return Download(
        spec=spec,
        facts=facts,
        mirrors=[],
        files=[
            DownloadFile(
                role=role,
                name=NAMES[role],
                sha256=hashlib.sha256(content).hexdigest(),
                bytes=len(content),
            )
            for role, content in files.items()
        ],
    )


def install(folder: Path, downloads: list[Download]) -> Path:
    """Write the package into a folder, which then belongs into PYTHONPATH."""
    known = {
        f"dataset_{number}": {
            "spec": download.spec.model_dump(mode="json"),
            "facts": download.facts.model_dump(mode="json"),
            "mirrors": list(download.mirrors),
            "files": [asdict(file) for file in download.files],
        }
        for number, download in enumerate(downloads)
    }
    folder.joinpath("their_datasets.py").write_text(MODULE)
    folder.joinpath("their_datasets.json").write_text(json.dumps(known))
    metadata = folder / "their_datasets-1.0.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-datasets\nVersion: 1.0\n"
    )
    points = "".join(f"{name} = their_datasets:{name}\n" for name in known)
    metadata.joinpath("entry_points.txt").write_text(f"[trainyard.datasets]\n{points}")
    return folder


def with_examples(download: Download, examples: int) -> Download:
    """Let a dataset claim to be larger than its files are."""
    assert isinstance(download.facts, ImageFacts)
    facts = download.facts.model_copy(update={"examples": examples})
    return Download(spec=download.spec, facts=facts, mirrors=[], files=download.files)
