"""The demonstration's images: a CNN on clothes, asked with real PNG files, also while it trains."""

import gzip
import io
import struct
from typing import NamedTuple

from PIL import Image
from rich.markup import escape

from service.cli import output
from service.cli.demo.proof import Proof, StepFailedError
from service.cli.pictures import picture
from service.cli.predict import candidate_lines
from service.cli.watch import Bar
from service.client import Client, ConflictError
from service.datasets import registry
from service.domain.jobs import Job
from service.domain.predictions import PredictResponse

DATASET = "fashion-mnist-mini"
CLOTHES = {"model": "clothes", "dataset": DATASET, "architecture": "cnn"}
POINTS_BETTER = 0.5
TOP = 3
LOOK_SECONDS = 0.2
ASK_FROM_PERCENT = 40  # it knows something by then, and has long to go


class TestImage(NamedTuple):
    """A test image as a PNG file, and what it shows."""

    png: bytes
    label: int


def show_images(client: Client, proof: Proof) -> None:
    """Train on clothes; ask about one image while it trains, about two afterwards."""
    early, *later = first_of_each_class(3)
    classes = class_names(client)
    job = client.create_job(CLOTHES)
    output.results.print(f"  POST /v1/jobs → 202, {job.id}")
    job = _watched(client, job, early, classes, proof)
    proof.expect_success(job)
    proof.expect_higher_accuracy(job, by=POINTS_BETTER)
    for image in later:
        answer = client.predict_image("clothes", image.png, content_type="image/png", top_k=TOP)
        output.results.print("\n  POST /v1/models/clothes/predict, image/png")
        _show(image, answer, classes, proof)


def _watched(
    client: Client, posted: Job, early: TestImage, classes: list[str], proof: Proof
) -> Job:
    """Follow the job to its end; ask it once, in the midst of it."""
    asked = False
    job = posted
    with Bar(client, output.results) as bar:
        for job in client.follow_job(posted.id, every=LOOK_SECONDS):
            bar.show(job)
            too_early = job.progress.percent < ASK_FROM_PERCENT
            if asked or too_early or job.status != "running":
                continue
            try:
                answer = client.predict_image(
                    job.id, early.png, content_type="image/png", top_k=TOP
                )
            except ConflictError as error:
                if error.code != "model_not_ready":
                    raise
                continue
            asked = True
            after = client.get_job(job.id)
            output.results.print(f"\n  POST /v1/models/{job.id}/predict, image/png")
            proof.expect(
                after.status == "running",
                f"asked while the job was {after.status}, at {after.progress.percent:.0f} %",
            )
            _show(early, answer, classes, proof)
    proof.expect(asked, "one image was asked while the job was still training")
    return job


def _show(image: TestImage, answer: PredictResponse, classes: list[str], proof: Proof) -> None:
    candidates = answer.predictions[0].candidates
    output.results.print(picture(image.png, output.results), end="")
    output.results.print(f"  It is: {escape(classes[image.label])}. The model says:")
    for line in candidate_lines(answer.predictions[0]):
        output.results.print(f"    {escape(line)}")
    proof.expect_candidates(candidates, count=TOP, what=f"{len(image.png)} bytes of PNG")


def class_names(client: Client) -> list[str]:
    """Ask the service for the names of the classes."""
    facts = client.get_dataset(DATASET).facts
    if facts.type != "idx":
        message = f"{DATASET} holds no images"
        raise StepFailedError(message)
    return facts.classes


def first_of_each_class(count: int) -> list[TestImage]:
    """Take the first test image of each of so many classes, in the order of the file."""
    files = registry.built_ins()[DATASET].files()
    height, width, pixels = _images(files["test_images"])
    labels = _plain(files["test_labels"])[8:]
    places = {label: place for place, label in reversed([*enumerate(labels)])}
    chosen = sorted(places.items(), key=lambda item: item[1])[:count]
    area = height * width
    return [
        TestImage(_png(pixels[place * area : (place + 1) * area], (width, height)), label)
        for label, place in chosen
    ]


def _images(file: bytes) -> tuple[int, int, bytes]:
    """Read the IDX header (four big-endian numbers); return height, width and the pixels."""
    plain = _plain(file)
    _, _, height, width = struct.unpack_from(">4I", plain)
    return height, width, plain[16:]


def _plain(file: bytes) -> bytes:
    return gzip.decompress(file) if file.startswith(b"\x1f\x8b") else file


def _png(pixels: bytes, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.frombytes("L", size, pixels).save(file, format="PNG")
    return file.getvalue()
