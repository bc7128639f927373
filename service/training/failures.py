"""Why a training run can fail by itself: each failure tells the client what to try.

These are no problems of a request (the job was accepted) and no bugs: the runner stores
`failure.error` with the job.
"""

import math
from collections.abc import Sequence

from service.domain.findings import TrainingFinding
from service.domain.jobs import JobError


class TrainingFailed(Exception):  # noqa: N818  a failure of the job, not an error of the program
    """The root of all failures of a run; `error` is what the job keeps, `findings` its causes."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.message)
        self.error = error
        self.findings: Sequence[TrainingFinding] = ()


class LossNotFinite(TrainingFailed):
    """The loss or the gradient's norm became NaN or infinite; the weights were not changed.

    `step` is the step that would have been taken, `lr` the learning rate it would have used, and
    `base_lr` the one the client chose, before the schedule.
    """

    def __init__(
        self, *, step: int, lr: float, base_lr: float, loss: float, gradient_norm: float
    ) -> None:
        self.step, self.lr, self.loss = step, lr, loss
        what = "gradient norm" if math.isfinite(loss) else "loss"
        value = gradient_norm if math.isfinite(loss) else loss
        message = f"The {what} became {value} at step {step} with a learning rate of {lr:g}."
        smaller = float(f"{base_lr / 10:.1g}")
        hint = f"Try a learning rate of {smaller:g}, or set training.gradient_clip to 1.0."
        super().__init__(JobError(code="loss_not_finite", message=message, hint=hint))


class DeviceNotAvailable(TrainingFailed):
    """The job asks for a device that this machine does not have."""

    def __init__(self, device: str) -> None:
        super().__init__(
            JobError(
                code="device_not_available",
                message=f"This worker has no device {device!r}.",
                hint="Set training.device to 'auto' or 'cpu', or start a worker that has it.",
            )
        )


class PrecisionNotAvailable(TrainingFailed):
    """The job asks for a precision that its device does not have."""

    def __init__(self, precision: str, device: str) -> None:
        super().__init__(
            JobError(
                code="precision_not_available",
                message=f"The device {device} does not compute in {precision}.",
                hint="Set training.precision to 'auto' or 'float32', or training.device to 'cpu'.",
            )
        )


class CannotBeExact(TrainingFailed):
    """A fork must go on with the same bits, and its own options rule that out."""

    def __init__(self, differs: str) -> None:
        super().__init__(
            JobError(
                code="cannot_be_exact",
                message=f"The fork must go on exactly, but {differs}.",
                hint="Fork with training.exact 'preferred', or leave device and precision as they "
                "were.",
            )
        )
