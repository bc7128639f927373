"""Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28×28 grey pixels."""

from service.datasets import mnist_files
from service.datasets.base import Download
from service.datasets.builtin.fashion_mnist_mini import CLASSES
from service.domain.datasets import IdxDatasetSpec

BUILT_IN = Download(
    spec=IdxDatasetSpec(
        name="fashion-mnist",
        type="idx",
        classes=CLASSES,
        source="Fashion-MNIST, H. Xiao, K. Rasul, R. Vollgraf, Zalando Research, 2017",
        licence="MIT",
    ),
    facts=mnist_files.facts(
        CLASSES, examples_per_class=[6000] * 10, test_examples_per_class=[1000] * 10
    ),
    mirrors=["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    files=mnist_files.downloads(
        {
            "images": (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            "labels": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
            "test_images": (
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            "test_labels": (
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        }
    ),
)
