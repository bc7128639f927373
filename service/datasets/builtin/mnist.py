"""MNIST: 60,000 training and 10,000 test images of handwritten digits, 28×28 grey pixels."""

from service.datasets import mnist_files
from service.datasets.base import Download
from service.domain.datasets import IdxDatasetSpec

CLASSES = [str(digit) for digit in range(10)]

BUILT_IN = Download(
    spec=IdxDatasetSpec(
        name="mnist",
        type="idx",
        classes=CLASSES,
        source="The MNIST database of handwritten digits, Y. LeCun, C. Cortes, C. J. C. Burges",
        licence="CC BY-SA 3.0",
    ),
    facts=mnist_files.facts(
        CLASSES,
        examples_per_class=[5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        test_examples_per_class=[980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    mirrors=[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    files=mnist_files.downloads(
        {
            "images": (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                9_912_422,
            ),
            "labels": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
            "test_images": (
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                1_648_877,
            ),
            "test_labels": (
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                4_542,
            ),
        }
    ),
)
