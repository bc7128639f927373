"""Images made anew in every epoch: shifted, mirrored, with a piece cut out (DeVries & Taylor 2017).

What happens to a batch is a function of (seed, epoch, position) alone, so that a resume repeats it.
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor


class Augmentation(NamedTuple):
    """How far images are shifted, whether some are mirrored, and the side of what is cut out."""

    shift: int = 0
    flip: bool = False
    cutout: int = 0

    def changes(self) -> bool:
        """Tell whether anything is done at all."""
        return bool(self.shift or self.flip or self.cutout)

    def apply(
        self, images: Tensor, fill: Tensor, *, seed: int, epoch: int, position: int
    ) -> Tensor:
        """Return other images of the same shape (count, channels, height, width).

        At the side that a shift leaves empty the edge is repeated; `fill` (channels,) covers what
        is cut out.
        """
        # Hashed as the order of an epoch is, with a word more: no two streams repeat each other.
        digest = hashlib.sha256(f"augmentation {seed} {epoch} {position}".encode()).digest()
        draw = torch.Generator().manual_seed(int.from_bytes(digest[:7]))
        count, channels, height, width = images.shape
        down, right = torch.randint(-self.shift, self.shift + 1, (2, count, 1), generator=draw)
        rows = (torch.arange(height) - down).clamp(0, height - 1)
        columns = (torch.arange(width) - right).clamp(0, width - 1)
        mirrored = torch.rand(count, 1, generator=draw) < (0.5 if self.flip else 0.0)
        columns = torch.where(mirrored, width - 1 - columns, columns)
        changed = images[
            torch.arange(count)[:, None, None, None],
            torch.arange(channels)[:, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]
        if not self.cutout:
            return changed
        middle_row = torch.randint(height, (count, 1), generator=draw)
        middle_column = torch.randint(width, (count, 1), generator=draw)
        cut = _around(middle_row, height, self.cutout)[:, None, :, None]
        cut = cut & _around(middle_column, width, self.cutout)[:, None, None, :]
        return torch.where(cut, fill[:, None, None], changed)


def _around(middle: Tensor, length: int, side: int) -> Tensor:
    """Mark `side` places around the middle of each row; beyond the edge there are none."""
    first = middle - side // 2
    places = torch.arange(length)
    return (places >= first) & (places < first + side)
