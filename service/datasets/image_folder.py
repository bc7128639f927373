"""A zip of pictures, one folder per class, decoded by all cores with bounded memory.

`cats/1.png` is a cat. Where the top folders are `train` and `test` (or `validation`), the classes
lie below them, and what is in the latter validates. One folder around everything is looked through.
Every picture is decoded and stretched by the rule of `pictures`; of moving ones the first frame.
"""

import warnings
import zipfile
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.datasets import pictures
from service.datasets.base import ImageData
from service.datasets.findings import MAX_FINDINGS, Findings
from service.datasets.pictures import Size
from service.datasets.zip_entries import EntryRefused, open_zip, paths, read_entry
from service.domain.datasets import ImageFacts, ImageFolderDatasetSpec
from service.domain.problems import FieldError, Invalid, TooLarge, invalid_field
from service.machine import cores

MAX_CLASSES = 10_000
MAX_LABEL = 512
MAX_PIXELS = 4_000_000_000
"""Of all pictures of a zip together, before they are stretched: a minute of decoding."""
FEW_EXAMPLES = 5
TRAINING = frozenset({"train", "training"})
HELD_OUT = frozenset({"test", "validation", "valid", "val"})

_FIRST_BYTES_OF_ZIP = b"PK\x03\x04"


class Picture(NamedTuple):
    """One entry: where it is, and what its folder says it shows; None: it lies in no folder."""

    path: str
    label: str | None
    held_out: bool
    entry: zipfile.ZipInfo


class Decoded(NamedTuple):
    """Its pixels (channels, height, width), or why there are none."""

    picture: Picture
    pixels: NDArray[np.uint8] | None
    look: pictures.Look | None
    refused: EntryRefused | None


def check(
    files: Mapping[str, BinaryIO],
    spec: ImageFolderDatasetSpec,
    max_decoded_bytes: int,
    findings: Findings,
) -> ImageFacts:
    """Decode every picture once. Raises Invalid naming the first hundred wrong ones, TooLarge."""
    if set(files) != {"file"}:
        wrong = next((role for role in files if role != "file"), "file")
        raise invalid_field(f"/{wrong}", "does not fit: send one zip as the part file")
    with open_zip(files["file"]) as archive:
        listed = list_pictures(archive)
        size = Size(spec.channels, spec.height, spec.width)
        decoded = len(listed) * size.channels * size.height * size.width
        unpacked = sum(each.entry.file_size for each in listed)
        if max(decoded, unpacked) > max_decoded_bytes:
            message = f"Its pictures unpack to more than {max_decoded_bytes:,} bytes; send fewer."
            raise TooLarge(message)
        kept = [each.picture for each in _checked(archive, listed, size, findings)]
    _refuse_bad(findings)
    return _facts(kept, size, findings)


def load(files: Mapping[str, bytes], facts: ImageFacts) -> ImageData:
    """Decode the pictures again; those that cannot be were left out when they came in."""
    size = Size(facts.channels, facts.height, facts.width)
    shape = (facts.examples, *size), (facts.test_examples, *size)
    images = [np.zeros(each, dtype=np.uint8) for each in shape]
    labels = [np.zeros(each[0], dtype=np.int64) for each in shape]
    numbers = {label: number for number, label in enumerate(facts.classes)}
    filled = [0, 0]
    with open_zip(BytesIO(files["file"])) as archive:
        for each in decode(archive, list_pictures(archive), size):
            label = each.picture.label
            if each.pixels is None or label is None:
                continue
            side = int(each.picture.held_out)
            images[side][filled[side]] = each.pixels
            labels[side][filled[side]] = numbers[label]
            filled[side] += 1
    held_out = facts.test_examples > 0
    return ImageData(
        facts=facts,
        images=images[0],
        labels=labels[0],
        test_images=images[1] if held_out else None,
        test_labels=labels[1] if held_out else None,
    )


def sample(
    content: bytes, facts: ImageFacts, places: Sequence[int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[int]]:
    """Decode only some of what trains; return images, labels and the places that were decoded."""
    size = Size(facts.channels, facts.height, facts.width)
    numbers = {label: number for number, label in enumerate(facts.classes)}
    with open_zip(BytesIO(content)) as archive:
        listed = [each for each in list_pictures(archive) if not each.held_out]
        chosen = [listed[place] for place in places]
        images = np.zeros((len(chosen), *size), dtype=np.uint8)
        right: list[tuple[int, int]] = []
        for place, each in zip(places, decode(archive, chosen, size), strict=True):
            if each.pixels is not None:
                images[len(right)] = each.pixels
                right.append((place, numbers[each.picture.label or ""]))
    labels = np.array([label for _, label in right], dtype=np.int64)
    return images[: len(right)], labels, [place for place, _ in right]


def list_pictures(archive: zipfile.ZipFile) -> list[Picture]:
    """List the entries by class and name, whatever their order in the zip."""
    found = list(paths(archive))
    around = _folder_around([path for path, _ in found])
    tops = {path.parts[around].lower() for path, _ in found if len(path.parts) > around + 1}
    splits = bool(tops & TRAINING and tops & HELD_OUT) and tops <= TRAINING | HELD_OUT
    listed: list[Picture] = []
    for path, entry in found:
        parts = path.parts[around:]
        held_out = splits and len(parts) > 1 and parts[0].lower() in HELD_OUT
        inner = parts[1:] if splits else parts
        label = inner[0] if len(inner) > 1 else None
        listed.append(Picture(str(path), label, held_out, entry))
    return sorted(listed, key=lambda each: (each.held_out, each.label or "", each.path))


def decode(archive: zipfile.ZipFile, listed: Sequence[Picture], size: Size) -> Iterator[Decoded]:
    """Decode in the order of the list, a few pictures ahead on every core."""
    threads = cores()
    waiting: deque[Future[Decoded]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")  # once, here: decoders in threads would undo each other's
        try:
            for picture in listed:
                waiting.append(pool.submit(_decode, archive, picture, size))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _decode(archive: zipfile.ZipFile, picture: Picture, size: Size) -> Decoded:
    try:
        if picture.label is None:
            raise EntryRefused("no_folder", "lies in no folder of a class")
        content = read_entry(archive, picture.entry)
        if content.startswith(_FIRST_BYTES_OF_ZIP):
            raise EntryRefused("nested_archive", "is a zip in the zip; unpack it first")
        try:
            look = pictures.look(content)
            pixels = pictures.read(content, **size._asdict())
        except Invalid as invalid:
            raise EntryRefused("no_picture", invalid.errors[0].detail) from None
    except EntryRefused as refused:
        return Decoded(picture, None, None, refused)
    return Decoded(picture, pixels, look, None)


def _checked(
    archive: zipfile.ZipFile, listed: Sequence[Picture], size: Size, findings: Findings
) -> Iterator[Decoded]:
    """Give what can be used; note all else."""
    pixels = 0
    moving: list[str] = []
    inked: list[str] = []
    for each in decode(archive, listed, size):
        if each.refused is not None:
            path, refused = each.picture.path, each.refused
            findings.bad_line(refused.code, str(refused), line=None, file=path[:MAX_LABEL])
            continue
        if each.look is not None:
            pixels += each.look.pixels
            moving += [each.picture.path] * each.look.animated
            inked += [each.picture.path] * each.look.cmyk
        if pixels > MAX_PIXELS:
            message = f"Its pictures have more than {MAX_PIXELS:,} pixels; send smaller ones."
            raise TooLarge(message)
        yield each
    if moving:
        detail = f"{len(moving):,} pictures move; their first frame is taken, as of {moving[0]}"
        findings.note("animated", detail, count=len(moving))
    if inked:
        detail = f"{len(inked):,} pictures are in CMYK; they are turned to RGB, as {inked[0]}"
        findings.note("cmyk", detail, count=len(inked))


def _refuse_bad(findings: Findings) -> None:
    """Raise Invalid that names each file that is no picture, unless they are skipped."""
    if findings.skip or not findings.named_lines:
        return
    errors = [
        FieldError(pointer="/file", detail=f"{each.file} {each.detail}")
        for each in findings.named_lines[:MAX_FINDINGS]
    ]
    more = findings.bad_lines - len(errors)
    others = f" {more:,} more are wrong." if more > 0 else ""
    skip = 'Leave such files out, or send "on_error": "skip".'
    detail = f"Some files cannot be read as pictures: {errors[0].detail}.{others} {skip}"
    raise Invalid(detail, errors=errors)


def _facts(kept: Sequence[Picture], size: Size, findings: Findings) -> ImageFacts:
    counts = Counter(each.label or "" for each in kept if not each.held_out)
    held_out = Counter(each.label or "" for each in kept if each.held_out)
    classes = sorted(counts)
    if len(classes) < 2:
        what = "no picture in a folder" if not classes else "one class only"
        detail = f"has {what}; make one folder of pictures for each of at least two classes"
        raise _unusable(findings, detail)
    if len(classes) > MAX_CLASSES or any(len(each) > MAX_LABEL for each in classes):
        detail = f"has more than {MAX_CLASSES:,} folders, or one of a very long name"
        raise _unusable(findings, detail)
    unknown = sorted(set(held_out) - set(counts))
    if unknown:
        detail = f"has a class only among what validates, {unknown[0][:100]}; add it to train"
        raise _unusable(findings, detail)
    if not held_out and max(counts.values()) < 2:
        detail = "has one picture of each class: none is left to validate; add more, or a test/"
        raise _unusable(findings, detail)
    few = [each for each in classes if counts[each] < FEW_EXAMPLES]
    if few:
        detail = f"{len(few):,} classes have fewer than {FEW_EXAMPLES} pictures, as {few[0]}"
        findings.warning("few_examples", detail, count=len(few))
    return ImageFacts(
        type="image_folder",
        **size._asdict(),
        classes=classes,
        examples=counts.total(),
        test_examples=held_out.total(),
        examples_per_class=[counts[each] for each in classes],
        test_examples_per_class=[held_out[each] for each in classes] if held_out else [],
    )


def _unusable(findings: Findings, detail: str) -> Invalid:
    """Note what refuses the zip whatever is skipped, and make the problem of it."""
    findings.error("/file", "unusable_folders", detail)
    return invalid_field("/file", detail)


def _folder_around(found: Sequence[PurePosixPath]) -> int:
    """Count the folders that every other folder lies in and that hold no picture themselves."""
    depth = 0
    while deep := [path for path in found if len(path.parts) > depth + 1]:
        tops = {path.parts[depth] for path in deep}
        if len(tops) > 1 or min(len(path.parts) for path in deep) == depth + 2:
            break
        depth += 1
    return depth
