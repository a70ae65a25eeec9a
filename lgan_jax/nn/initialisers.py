"""How weights start."""

from __future__ import annotations

import flax.linen as nn

# Kaiming-normal as PyTorch's `kaiming_normal_` does it by default: fan-in, gain √(2 / (1 + a²)) with a = 0, whatever
# the slope of the LeakyReLU that follows; an ordinary normal distribution, where Flax's own `kaiming_normal` truncates.
kaiming_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
