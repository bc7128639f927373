"""Are probabilities what they say? Temperature scaling (Guo et al. 2017) on a sample of logits.

The sample has at most four million logits, whatever the classes: every n-th example, where n grows
with the data. All is computed in float64 by numpy, so that threads do not change the bits.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from service.domain.evaluations import Calibration

BINS = 15
MAX_LOGITS = 1 << 22
MAX_EXAMPLES = 20_000
MIN_EXAMPLES = 64
TEMPERATURES = (0.05, 20.0)

_ITERATIONS = 40
_CLOSE = 1e-8

Logits = NDArray[np.float64]
Targets = NDArray[np.int64]


class LogitSample:
    """Keeps every n-th of the examples that pass by, with n doubled as often as they get many."""

    def __init__(self) -> None:
        self._logits: list[NDArray[np.float32]] = []
        self._targets: list[Targets] = []
        self._seen = 0
        self._kept = 0
        self._every = 1

    def add(self, logits: Tensor, targets: Targets) -> None:
        """Take logits (examples, classes) and the class that each is of."""
        places = np.arange(-self._seen % self._every, len(targets), self._every)
        self._seen += len(targets)
        if not len(places):
            return
        self._logits.append(logits[places.tolist()].float().cpu().numpy())
        self._targets.append(targets[places])
        self._kept += len(places)
        limit = max(MIN_EXAMPLES, min(MAX_EXAMPLES, MAX_LOGITS // logits.shape[1]))
        while self._kept > limit:
            self._thin_out()

    def calibration(self) -> Calibration | None:
        """Fit the temperature; None where there is nothing, or what is no number."""
        if not self._kept:
            return None
        logits = np.concatenate(self._logits).astype(np.float64)
        targets = np.concatenate(self._targets)
        if not np.isfinite(logits).all():
            return None
        temperature = fit_temperature(logits, targets)
        return Calibration(
            temperature=temperature,
            error_before=calibration_error(logits, targets),
            error_after=calibration_error(logits / temperature, targets),
            examples=len(targets),
        )

    def _thin_out(self) -> None:
        self._logits = [np.concatenate(self._logits)[::2]]
        self._targets = [np.concatenate(self._targets)[::2]]
        self._kept = len(self._targets[0])
        self._every *= 2


def fit_temperature(logits: Logits, targets: Targets) -> float:
    """Return what to divide the logits by for the least cross-entropy, within bounds.

    The loss is convex in the inverse of the temperature: Newton's method, kept between two ends.
    """
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    of_target = logits[np.arange(len(targets)), targets]
    if _slope(low, logits, of_target)[0] >= 0:
        return TEMPERATURES[1]
    if _slope(high, logits, of_target)[0] <= 0:
        return TEMPERATURES[0]
    scale = 1.0
    for _ in range(_ITERATIONS):
        slope, curvature = _slope(scale, logits, of_target)
        low, high = (low, scale) if slope > 0 else (scale, high)
        step = scale - slope / curvature if curvature > 0 else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - scale) < _CLOSE * scale:
            break
        scale = following
    return 1 / scale


def _slope(scale: float, logits: Logits, of_target: Logits) -> tuple[float, float]:
    """Return the first two derivatives of the loss by the scale of the logits."""
    probabilities = softmax(scale * logits)
    expected = (probabilities * logits).sum(axis=1)
    variance = (probabilities * (logits - expected[:, None]) ** 2).sum(axis=1)
    return float((expected - of_target).mean()), float(variance.mean())


def calibration_error(logits: Logits, targets: Targets) -> float:
    """Return the expected calibration error: |accuracy - confidence|, by bins of confidence."""
    probabilities = softmax(logits)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(targets))


def softmax(logits: Logits) -> Logits:
    """Return probabilities (examples, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
