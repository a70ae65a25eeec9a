"""DFT-Net and GANimation in plain PyTorch: the same networks, losses and updates, written as one would there.

Modules carry the names of the library's parameters, so that `torch_weights.load` can copy weights. Everything is NCHW
in the channels-last memory format, which is PyTorch's fastest on a CPU.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.sizes import EditorSizes

UNITS = 17


class Edited(NamedTuple):
    image: Tensor
    flow: Tensor
    attention: Tensor


def told(module: nn.Module, name: str, x: Tensor, units: Tensor) -> Tensor:
    scale, shift = getattr(module, f"{name}_units")(units)[:, :, None, None].chunk(2, 1)
    return F.relu(getattr(module, f"{name}_norm")(x) * (1 + scale) + shift)


class Encoder(nn.Module):
    def __init__(self, sizes: EditorSizes) -> None:
        super().__init__()
        width, self.blocks = sizes.width, sizes.blocks
        self._add("stem", 3, width, 7, 1)
        self._add("down_0", width, 2 * width, 4, 2)
        self._add("down_1", 2 * width, 4 * width, 4, 2)
        for i in range(self.blocks):
            self._add(f"residual_{i}_0", 4 * width, 4 * width, 3, 1)
            self._add(f"residual_{i}_1", 4 * width, 4 * width, 3, 1, units=False)

    def _add(self, name: str, channels: int, features: int, size: int, stride: int, units: bool = True) -> None:
        padding = size // 2 if stride == 1 else 1
        self.add_module(name, nn.Conv2d(channels, features, size, stride, padding, bias=False))
        self.add_module(f"{name}_norm", nn.InstanceNorm2d(features, affine=True))
        if units:
            self.add_module(f"{name}_units", nn.Linear(UNITS, 2 * features, bias=False))

    def _layer(self, name: str, x: Tensor, units: Tensor) -> Tensor:
        return told(self, name, getattr(self, name)(x), units)

    def forward(self, image: Tensor, units: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        full = self._layer("stem", image, units)
        half = self._layer("down_0", full, units)
        x = self._layer("down_1", half, units)
        for i in range(self.blocks):
            y = getattr(self, f"residual_{i}_1")(self._layer(f"residual_{i}_0", x, units))
            x = x + getattr(self, f"residual_{i}_1_norm")(y)
        return x, (full, half)


class Doubling(nn.ConvTranspose2d):
    """Its 3×3 kernel is spread to 4×4 by summing over 2×2."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, 4 * F.avg_pool2d(F.pad(self.weight, (1, 1, 1, 1)), 2, 1), stride=2, padding=1)


class Decoder(nn.Module):
    def __init__(self, width: int, skips: bool) -> None:
        super().__init__()
        for i, channels in ((1, 4 * width), (0, (4 if skips else 2) * width)):
            self.add_module(f"up_{i}", Doubling(channels, 2**i * width, 3, 2, 1, bias=False))
            self.add_module(f"up_{i}_norm", nn.InstanceNorm2d(2**i * width, affine=True))
            self.add_module(f"up_{i}_units", nn.Linear(UNITS, 2 * 2**i * width, bias=False))

    def forward(self, x: Tensor, units: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        for i in (1, 0):
            x = told(self, f"up_{i}", getattr(self, f"up_{i}")(x), units)
            x = torch.cat([x, skips[i]], 1) if skips else x
        return x


class Head(nn.Conv2d):
    def __init__(self, channels: int, features: int) -> None:
        super().__init__(channels, features, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return 0.1 * super().forward(x)


def coloured(image: Tensor, change: Tensor) -> Tensor:
    return torch.tanh(change + torch.atanh(0.98 * image))


class DFTNet(nn.Module):
    """Images `(batch, 3, H, W)` in [-1, 1] and action units `(batch, 17)` to images."""

    def __init__(self, sizes: EditorSizes) -> None:
        super().__init__()
        self.encoder = Encoder(sizes)
        self.flow_decoder, self.texture_decoder = Decoder(sizes.width, False), Decoder(sizes.width, True)
        self.flow_attention, self.texture = Head(sizes.width, 3), Head(2 * sizes.width, 3)

    def forward(self, image: Tensor, units: Tensor) -> Edited:
        code, skips = self.encoder(image, units)
        shape = self.flow_attention(self.flow_decoder(code, units))
        texture = coloured(image, self.texture(self.texture_decoder(code, units, skips)))
        flow, attention = 0.5 * shape[:, :2], torch.sigmoid(shape[:, 2:] + 4)
        # grid_sample's frame is 2 wide
        places = identity_grid(image) + 2 * flow.permute(0, 2, 3, 1)
        aligned = F.grid_sample(image, places, padding_mode="border", align_corners=False)
        return Edited((1 - attention) * texture + attention * aligned, flow, attention)


class GANimation(nn.Module):
    def __init__(self, sizes: EditorSizes) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(sizes), Decoder(sizes.width, False)
        self.attention, self.texture = Head(sizes.width, 1), Head(sizes.width, 3)

    def forward(self, image: Tensor, units: Tensor) -> Edited:
        x = self.decoder(self.encoder(image, units)[0], units)
        attention, texture = torch.sigmoid(self.attention(x) + 4), coloured(image, self.texture(x))
        flow = image.new_zeros(len(image), 2, *image.shape[2:])
        return Edited((1 - attention) * texture + attention * image, flow, attention)


class Discriminator(nn.Module):
    """Images to the critic's map and to action units."""

    def __init__(self, sizes: EditorSizes) -> None:
        super().__init__()
        channels = (3, *(2**i * sizes.discriminator_width for i in range(6)))
        for i in range(6):
            self.add_module(f"conv_{i}", nn.Conv2d(channels[i], channels[i + 1], 4, 2, 1))
        self.critic = nn.Conv2d(channels[-1], 1, 3, padding=1, bias=False)
        self.action_units = nn.Conv2d(channels[-1], UNITS, sizes.size // 64, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = image
        for i in range(6):
            x = F.leaky_relu(getattr(self, f"conv_{i}")(x), 0.01)
        return self.critic(x)[:, 0], self.action_units(x)[:, :, 0, 0]


GENERATORS = {"editor": DFTNet, "baseline": GANimation}


def identity_grid(image: Tensor) -> Tensor:
    """The center of every pixel in `grid_sample`'s frame, which is 2 wide."""
    height, width = image.shape[2:]
    y = (2 * torch.arange(height, device=image.device) + 1) / height - 1
    x = (2 * torch.arange(width, device=image.device) + 1) / width - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]


class Trainer:
    """Generator, discriminator, their optimizers and the generator's average."""

    def __init__(self, phase: str, sizes: EditorSizes, updates: int, device: torch.device) -> None:
        self.updates, self.steps = updates, 0
        self.generator = GENERATORS[phase](sizes).to(device, memory_format=torch.channels_last)
        self.discriminator = Discriminator(sizes).to(device, memory_format=torch.channels_last)
        networks = (self.generator, self.discriminator)
        self.optimizers = [torch.optim.Adam(n.parameters(), lr=1e-4, betas=(0.5, 0.999)) for n in networks]
        self.average = [p.detach().clone() for p in self.generator.parameters()]

    def step(self, image: Tensor, units: Tensor) -> dict[str, Tensor]:
        """The discriminator's updates and one of the generator. Targets are drawn as in the library, but by PyTorch."""
        losses = {}
        for part in range(self.updates):
            losses |= self._discriminator_step(image[part :: self.updates], units[part :: self.updates])
        losses |= self._generator_step(image[self.updates - 1 :: self.updates], units[self.updates - 1 :: self.updates])
        return {name: loss.detach() for name, loss in losses.items()}

    def _discriminator_step(self, image: Tensor, units: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            made = self.generator(image, targets(units)).image
        critic, estimated = self.discriminator(torch.cat([image, made]))
        real_critic, made_critic = critic.chunk(2)
        share = torch.rand(len(image), 1, 1, 1, device=image.device)
        between = (share * image + (1 - share) * made).requires_grad_()
        judged = self.discriminator(between)[0].mean((1, 2)).sum()
        (slopes,) = torch.autograd.grad(judged, between, create_graph=True)
        losses = {
            "wasserstein": real_critic.mean() - made_critic.mean(),
            "gradient_penalty": ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean(),
            "condition_real": F.mse_loss(estimated[: len(image)], units),
        }
        total = -losses["wasserstein"] + 10 * losses["gradient_penalty"] + 160 * losses["condition_real"]
        self._update(1, self.discriminator, total)
        return losses

    def _generator_step(self, image: Tensor, units: Tensor) -> dict[str, Tensor]:
        wanted = targets(units)
        edited = self.generator(image, wanted)
        critic, estimated = self.discriminator(edited.image)
        pixels = edited.flow * edited.flow.new_tensor(image.shape[:1:-1]).view(1, 2, 1, 1)
        variation = sum(torch.diff(pixels, dim=dim).square().sum() for dim in (2, 3)) / len(image)
        losses = {
            "adversarial": -critic.mean(),
            "condition": F.mse_loss(estimated, wanted),
            "cycle": F.l1_loss(self.generator(edited.image, units).image, image),
            "total_variation": variation,
            "attention": -edited.attention.mean(),
        }
        factors = {"adversarial": 1, "condition": 160, "cycle": 10, "total_variation": 1e-4, "attention": 1}
        self._update(0, self.generator, sum(factor * losses[name] for name, factor in factors.items()))
        decay = min(0.999, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.generator.parameters()), 1 - decay)
        self.steps += 1
        return losses

    def _update(self, number: int, network: nn.Module, loss: Tensor) -> None:
        parameters = list(network.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        self.optimizers[number].step()


def targets(units: Tensor) -> Tensor:
    """Action units of another example, ± 0.1, within [0, 1]."""
    count = len(units)
    shift = torch.randint(1, max(count, 2), (count,), device=units.device)
    others = units[(torch.arange(count, device=units.device) + shift) % count]
    return (others + 0.2 * torch.rand_like(units) - 0.1).clamp(0, 1)
