"""How much and how a network is trained: a plain value, so that the same plan gives the same network."""

from __future__ import annotations

from dataclasses import dataclass

_PICTURE_DECAY, _LEAST_VARIED = 0.2, 0.25
"""Weight decay of pictures that are varied in full (road signs), and the strength below which it falls no further. It
is proportional to the strength: clothes, which bear a quarter, were learned better with a quarter of the decay."""


@dataclass(frozen=True)
class TrainingPlan:
    """One stint of training with AdamW, linear warm-up and cosine decay to zero.

    Attributes:
        samples: Training rows seen; rounded up to whole batches.
        batch_size: Rows per step.
        peak_rate: Highest learning rate.
        warmup_share: Share of the steps over which the rate rises.
        weight_decay: Decoupled weight decay.
        orthogonal_kernels: Whether kernels of two-dimensional convolutions are trained with Muon.
        teacher_share: Weight of the teacher's outputs in the loss; labels have the rest.
        temperature: Softening of the teacher's and the network's outputs.
        ema_momentum: Share that the moving average of the weights keeps at each step; it is what a stint ends with.
            None: it ends with the weights themselves.
    """

    samples: int
    batch_size: int
    peak_rate: float
    warmup_share: float = 0.05
    weight_decay: float = 1e-4
    orthogonal_kernels: bool = False
    teacher_share: float = 0.9
    temperature: float = 3.0
    ema_momentum: float | None = None

    @property
    def steps(self) -> int:
        """Optimizer steps, at least one."""
        return max(1, -(-self.samples // self.batch_size))

    @classmethod
    def for_data(cls, samples: int, *, images: bool, strength: float = 1.0) -> TrainingPlan:
        """What was measured to work. Steps are what small networks lack, and small batches of them cost little more.

        Args:
            samples: Training rows to be seen.
            images: Whether they are pictures.
            strength: How strongly these are varied, see `Variation`.
        """
        if images:
            decay = _PICTURE_DECAY * min(max(strength, _LEAST_VARIED), 1.0)
            return cls(samples=samples, batch_size=64, peak_rate=1e-2, weight_decay=decay, orthogonal_kernels=True)
        return cls(samples=samples, batch_size=128, peak_rate=2e-2, teacher_share=0.7, temperature=2.0)
