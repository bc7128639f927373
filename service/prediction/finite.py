"""Models whose numbers grow without bounds: they cannot answer, and say so."""

from service.domain.problems import Conflict


class NotFinite(Conflict):
    """The logits of a model are NaN or infinite for this input."""

    code = "logits_not_finite"
    title = "The model's numbers are not finite"

    def __init__(self) -> None:
        super().__init__(
            "For this text the model's logits are NaN or infinite: its weights let a state grow "
            "without bounds. Ask for fewer tokens, or train it with a smaller learning rate or "
            "with training.gradient_clip."
        )
