"""Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28×28 grey pixels."""

from service.datasets.base import Download, DownloadFile
from service.datasets.builtin.fashion_mnist_mini import CLASSES
from service.domain.datasets import IdxDatasetSpec, ImageFacts

BUILT_IN = Download(
    spec=IdxDatasetSpec(
        name="fashion-mnist",
        type="idx",
        classes=CLASSES,
        source="Fashion-MNIST, H. Xiao, K. Rasul, R. Vollgraf, Zalando Research, 2017",
        licence="MIT",
    ),
    facts=ImageFacts(
        channels=1,
        height=28,
        width=28,
        classes=CLASSES,
        examples=60_000,
        test_examples=10_000,
        examples_per_class=[6000] * 10,
    ),
    mirrors=["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    files=[
        DownloadFile(
            role="images",
            name="train-images-idx3-ubyte.gz",
            sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            bytes=26_421_880,
        ),
        DownloadFile(
            role="labels",
            name="train-labels-idx1-ubyte.gz",
            sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            bytes=29_515,
        ),
        DownloadFile(
            role="test_images",
            name="t10k-images-idx3-ubyte.gz",
            sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            bytes=4_422_102,
        ),
        DownloadFile(
            role="test_labels",
            name="t10k-labels-idx1-ubyte.gz",
            sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            bytes=5_148,
        ),
    ],
)
