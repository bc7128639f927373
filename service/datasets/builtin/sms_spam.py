"""4,459 real text messages, each spam or not (ham).

The split is fixed: of each label, the fifth of the distinct messages with the smallest SHA-256
validates, where messages that differ in case and blanks only are one. All copies are on one side.
"""

import gzip
from collections.abc import Mapping
from importlib.resources import files

from service.datasets.base import BuiltIn
from service.domain.datasets import LabelledTextDatasetSpec

_SPEC = LabelledTextDatasetSpec(
    name="sms-spam",
    type="labelled_text",
    text="text",
    label="label",
    split="split",
    encoding="utf-8",
    delimiter="\t",
    quoting=False,  # people write quotes as they like
    header=True,
    source="SMS Spam Collection, T. A. Almeida and J. M. Gómez Hidalgo, UCI, 2012",
    licence="CC BY 4.0",
)


def _files() -> Mapping[str, bytes]:
    folder = files("service.datasets.builtin") / "data" / "sms-spam"
    return {"file": gzip.decompress((folder / "messages.tsv.gz").read_bytes())}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)
