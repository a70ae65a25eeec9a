"""LandmarkGAN's generator phase in plain PyTorch: the same networks, losses and updates, written as one would there.

Modules carry the names of the library's parameters, so that `torch_weights.load` can copy them. Everything is NCHW
in the channels-last memory format, which is PyTorch's fastest on a CPU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.sizes import Sizes

CHANNELS = (512, 256, 128, 128, 128, 64)  # after each upscale block, at 8, 16 … 256 pixels


class UpscaleBlock(nn.Module):
    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(F.leaky_relu(self.conv(x), 0.1), 2)


class LandmarkToFace(nn.Module):
    """Landmarks `(batch, N, 2)` to images `(batch, 3, size, size)` in [-1, 1]."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        first, *features = (max(1, round(f * sizes.width)) for f in (1024, *CHANNELS))
        self.first, self.blocks = first, int(math.log2(sizes.size)) - 2
        self.layer_0 = nn.Linear(2 * sizes.points, first)
        self.layer_1 = nn.Linear(first, 16 * first)
        for i, (before, after) in enumerate(zip((first, *features), features[: self.blocks], strict=False)):
            self.add_module(f"upscale_{i}", UpscaleBlock(before, after))
            if i:
                self.add_module(f"conv_{i}", nn.Conv2d(after, after, 3, padding=1))
        self.head = nn.Conv2d(features[self.blocks - 1], 3, 5, padding=2)

    def forward(self, landmarks: Tensor) -> Tensor:
        x = self.layer_1(F.leaky_relu(self.layer_0(landmarks.flatten(1)), 0.1))
        x = x.view(-1, 4, 4, self.first).permute(0, 3, 1, 2)
        for i in range(self.blocks):
            x = getattr(self, f"upscale_{i}")(x)
            x = getattr(self, f"conv_{i}")(x) if i else x
        return 2 * torch.sigmoid(self.head(x)) - 1


class PatchBlock(nn.Module):
    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        hidden = min(channels, features)
        self.conv_0 = nn.Conv2d(channels, hidden, 3, padding=1, padding_mode="reflect")
        self.conv_1 = nn.Conv2d(hidden, features, 3, padding=1, padding_mode="reflect")
        self.shortcut = None if channels == features else nn.Conv2d(channels, features, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = F.leaky_relu(x, 0.2)
        y = self.conv_1(F.leaky_relu(self.conv_0(activated), 0.2))
        return y + (activated if self.shortcut is None else self.shortcut(x))


class PatchDiscriminator(nn.Module):
    """Images in [-1, 1] to logits `(batch, 1, H/2, W/2)` and features."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.discriminator_width
        self.stem = nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect")
        self.block_0, self.block_1 = PatchBlock(width, width), PatchBlock(width, 2 * width)
        self.block_2, self.block_3 = PatchBlock(2 * width, 2 * width), PatchBlock(2 * width, 4 * width)
        self.head = nn.Conv2d(4 * width, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.block_1(self.block_0(self.stem(image)))
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 2)
        features = F.leaky_relu(self.block_3(self.block_2(x)), 0.2)
        return self.head(features), features


class NormActivation(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(x))


class FanBlock(nn.Module):
    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        before = channels
        for i, share in enumerate((2, 4, 4)):
            self.add_module(f"norm_{i}", NormActivation(before))
            self.add_module(f"conv_{i}", nn.Conv2d(before, features // share, 3, padding=1, bias=False))
            before = features // share
        self.shortcut = None
        if channels != features:
            self.shortcut_norm = NormActivation(channels)
            self.shortcut = nn.Conv2d(channels, features, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv_0(self.norm_0(x))
        b = self.conv_1(self.norm_1(a))
        c = self.conv_2(self.norm_2(b))
        return torch.cat([a, b, c], 1) + (x if self.shortcut is None else self.shortcut(self.shortcut_norm(x)))


class Hourglass(nn.Module):
    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.upper, self.down, self.up = (FanBlock(width, width) for _ in range(3))
        if depth > 1:
            self.inside = Hourglass(depth - 1, width)
        else:
            self.bottom = FanBlock(width, width)
        self.deepest = depth == 1

    def forward(self, x: Tensor) -> Tensor:
        lower = self.down(F.max_pool2d(x, 2))
        lower = self.up(self.bottom(lower) if self.deepest else self.inside(lower))
        return self.upper(x) + F.interpolate(lower, scale_factor=2, mode="nearest")


class FaceAlignmentNetwork(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.detector_width
        self.stem = nn.Conv2d(3, width // 4, 7, stride=2, padding=3)
        self.stem_norm = NormActivation(width // 4)
        self.block_0 = FanBlock(width // 4, width // 2)
        self.block_1, self.block_2 = FanBlock(width // 2, width // 2), FanBlock(width // 2, width)
        depth = min(sizes.detector_depth, int(math.log2(sizes.size / 16)))
        self.hourglass, self.top = Hourglass(depth, width), FanBlock(width, width)
        self.top_conv, self.top_norm = nn.Conv2d(width, width, 1), NormActivation(width)
        self.heatmaps = nn.Conv2d(width, sizes.points, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(self.block_0(self.stem_norm(self.stem(image))), 2)
        x = self.top(self.hourglass(self.block_2(self.block_1(x))))
        return self.heatmaps(self.top_norm(self.top_conv(x)))


class HeatmapDetector(nn.Module):
    """Images in [0, 1] to heatmaps `(batch, N, H/4, W/4)`, each summing to 1."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.fan = FaceAlignmentNetwork(sizes)
        self.mix = nn.Conv2d(sizes.points, sizes.points, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        logits = self.mix(self.fan(image))
        return F.softmax(logits.flatten(2), -1).view(logits.shape)


def i2l(heatmaps: Tensor, landmarks: Tensor, weights: Tensor, sigma: float = 1.0) -> Tensor:
    """Eq. 3: DSNT's Euclidean loss and Jensen–Shannon regularizer, weighted; landmarks in [0, 1]."""
    size, epsilon = heatmaps.shape[-1], 1e-24
    centres = torch.arange(size, device=heatmaps.device) + 0.5
    found = torch.stack([heatmaps.sum(2) @ centres, heatmaps.sum(3) @ centres], -1) / size
    distance = 2 * torch.linalg.vector_norm(found - landmarks, dim=-1)
    along = torch.exp(-0.5 * ((centres - size * landmarks[..., None]) / sigma) ** 2)
    gauss = along[:, :, 1, :, None] * along[:, :, 0, None, :]
    gauss = gauss / (gauss.sum((2, 3), keepdim=True) + epsilon)
    middle = torch.log((heatmaps + gauss) / 2 + epsilon)
    divergence = sum((p * (torch.log(p + epsilon) - middle)).sum((2, 3)) for p in (heatmaps, gauss)) / 2
    return ((distance + divergence) * weights).mean()


class Trainer:
    """Generator, discriminator, their optimizers and the generator's average, of one identity."""

    def __init__(self, sizes: Sizes, detector: HeatmapDetector, weights: Tensor) -> None:
        """`detector` is frozen; `weights` `(N,)` are those of Eq. 3."""
        device = weights.device
        self.detector, self.weights, self.steps = detector, weights, 0
        self.generator = LandmarkToFace(sizes).to(device, memory_format=torch.channels_last)
        self.discriminator = PatchDiscriminator(sizes).to(device, memory_format=torch.channels_last)
        self.average = [p.detach().clone() for p in self.generator.parameters()]
        options = {"lr": 6e-5, "alpha": 0.99, "eps": 1e-8, "weight_decay": 1e-4}
        self.optimizers = [torch.optim.RMSprop(m.parameters(), **options) for m in (self.generator, self.discriminator)]

    def step(self, image: Tensor, landmarks: Tensor) -> dict[str, Tensor]:
        """One update of both networks; what their losses share is computed once. Returns the losses."""
        made = self.generator(landmarks)
        made_logits, made_features = self.discriminator(made)
        real_logits, real_features = self.discriminator(image)
        losses = {
            "l2i": (image - made).abs().mean() / 2,
            "i2l": i2l(self.detector((made + 1) / 2), landmarks, self.weights),
            "adversarial": -made_logits.mean(),
            "feature_matching": (real_features.detach().mean((2, 3)) - made_features.mean((2, 3))).abs().mean(),
            "discriminator": F.relu(1 - real_logits).mean() + F.relu(1 + made_logits).mean(),
        }
        factors = {"l2i": 12, "i2l": 0.1, "adversarial": 0.03, "feature_matching": 0.03}
        total = sum(factor * losses[name] for name, factor in factors.items())
        self._update(self.generator, self.optimizers[0], total, retain_graph=True)
        self._update(self.discriminator, self.optimizers[1], losses["discriminator"])
        decay = min(0.999, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.generator.parameters()), 1 - decay)
        self.steps += 1
        return {name: loss.detach() for name, loss in losses.items()}

    @staticmethod
    def _update(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, retain_graph: bool = False) -> None:
        parameters = list(network.parameters())
        gradients = torch.autograd.grad(loss, parameters, retain_graph=retain_graph)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
