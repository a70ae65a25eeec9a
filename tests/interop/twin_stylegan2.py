"""StyleGAN2 in plain PyTorch, as narrow as wanted: its parameters' names, its layers, their order.

Written from the paper and the list of names. Images are NCHW. A kernel per example, one example after the other.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])


def upfirdn(x, taps, up=1, down=1, pads=(0, 0), gain=1.0):
    """By the definition, on a map with zeros between its pixels; `taps` is a square."""
    batch, channels, height, width = x.shape
    wide = x.new_zeros(batch, channels, height * up, width * up)
    wide[:, :, ::up, ::up] = x
    wide = F.pad(wide, [pads[0], pads[1]] * 2).flatten(0, 1)[:, None]
    made = F.conv2d(wide, gain * taps.flip(0, 1)[None, None])[:, 0, ::down, ::down]
    return made.reshape(batch, channels, *made.shape[1:])


def activated(x, gain=1.0, clamp=None):
    return clamped(F.leaky_relu(x, 0.2) * math.sqrt(2) * gain, clamp, gain)


def clamped(x, clamp, gain=1.0):
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


class Filtered(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("resample_filter", torch.outer(TAPS, TAPS) / 64)


class Dense(nn.Module):
    def __init__(self, inputs, outputs, rate=1.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        self.rate = rate

    def forward(self, x):
        return F.linear(x, self.weight * self.rate / math.sqrt(self.weight.shape[1]), self.bias * self.rate)


class Mapping(nn.Module):
    def __init__(self, latent, labels, style, layers, averaged=True):
        super().__init__()
        if labels:
            self.embed = Dense(labels, style)
        sizes = [latent + (style if labels else 0)] + [style] * layers
        for i in range(layers):
            setattr(self, f"fc{i}", Dense(sizes[i], sizes[i + 1], 0.01))
        if averaged:
            self.register_buffer("w_avg", torch.zeros(style))
        self.layers = layers

    def forward(self, z, labels=None, truncation=1.0):
        parts = ([] if z is None else [z]) + ([] if labels is None else [self.embed(labels)])
        x = torch.cat([part / (part.square().mean(1, keepdim=True) + 1e-8).sqrt() for part in parts], 1)
        for i in range(self.layers):
            x = activated(getattr(self, f"fc{i}")(x))
        return torch.lerp(self.w_avg, x, truncation) if truncation != 1 else x


class Modulated(Filtered):
    def __init__(self, inputs, outputs, style, size, side=None, up=False, clamp=None):
        super().__init__()
        self.affine = Dense(style, inputs)
        self.weight, self.bias = (
            nn.Parameter(torch.zeros(outputs, inputs, size, size)),
            nn.Parameter(torch.zeros(outputs)),
        )
        self.up, self.clamp = up, clamp
        if side:
            self.register_buffer("noise_const", torch.zeros(side, side))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        else:
            del self.resample_filter

    def convolved(self, x, scales, demodulate):
        made = []
        for one, scale in zip(x, scales):
            weight = self.weight * scale[None, :, None, None]
            if demodulate:
                weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            if self.up:
                wide = F.conv_transpose2d(one[None], weight.transpose(0, 1), stride=2)
                made.append(upfirdn(wide, self.resample_filter, pads=(1, 1), gain=4))
            else:
                made.append(F.conv2d(one[None], weight, padding=weight.shape[-1] // 2))
        return torch.cat(made)

    def forward(self, x, w, noise=None):
        noise = self.noise_const if noise is None else noise[:, None]
        made = self.convolved(x, self.affine(w), True) + noise * self.noise_strength
        return activated(made + self.bias[:, None, None], clamp=self.clamp)


class ToRGB(Modulated):
    def __init__(self, inputs, style, clamp):
        super().__init__(inputs, 3, style, 1, clamp=clamp)

    def forward(self, x, w):
        scales = self.affine(w) / math.sqrt(self.weight.shape[1])
        return clamped(self.convolved(x, scales, False) + self.bias[:, None, None], self.clamp)


class SynthesisBlock(Filtered):
    def __init__(self, inputs, outputs, style, side, clamp):
        super().__init__()
        if inputs:
            self.conv0 = Modulated(inputs, outputs, style, 3, side, True, clamp)
        else:
            self.const = nn.Parameter(torch.zeros(outputs, 4, 4))
        self.conv1 = Modulated(outputs, outputs, style, 3, side, False, clamp)
        self.torgb = ToRGB(outputs, style, clamp)


class Synthesis(nn.Module):
    def __init__(self, channels, style, clamp):
        super().__init__()
        self.sides = [4 * 2**i for i in range(len(channels))]
        for before, after, side in zip((0, *channels), channels, self.sides):
            setattr(self, f"b{side}", SynthesisBlock(before, after, style, side, clamp))

    def forward(self, ws, noise=None):
        """`ws` `(batch, places, style)`; `noise` in the order of use."""
        noise = iter(noise) if noise is not None else iter([None] * ws.shape[1])
        place, x, image = 0, None, None
        for side in self.sides:
            block = getattr(self, f"b{side}")
            if x is None:
                x = block.const[None].expand(len(ws), -1, -1, -1)
            else:
                x, place = block.conv0(x, ws[:, place], next(noise)), place + 1
            x, place = block.conv1(x, ws[:, place], next(noise)), place + 1
            if image is not None:
                image = upfirdn(image, block.resample_filter, up=2, pads=(2, 1), gain=4)
            colours = block.torgb(x, ws[:, place])
            image = colours if image is None else image + colours
        return image


class Generator(nn.Module):
    def __init__(self, channels, latent=10, style=12, labels=0, layers=8, clamp=None):
        super().__init__()
        self.mapping = Mapping(latent, labels, style, layers)
        self.synthesis = Synthesis(channels, style, clamp)
        self.places = 2 * len(channels)

    def forward(self, z, labels=None, truncation=1.0, noise=None):
        return self.synthesis(self.mapping(z, labels, truncation)[:, None].expand(-1, self.places, -1), noise)


class Conv(Filtered):
    def __init__(self, inputs, outputs, size, down=1, bias=True, act=True, clamp=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.down, self.act, self.clamp = down, act, clamp

    def forward(self, x, gain=1.0):
        size = self.weight.shape[-1]
        if self.down == 2:
            x = upfirdn(x, self.resample_filter, pads=(size // 2 + 1,) * 2)
        weight = self.weight / math.sqrt(self.weight[0].numel())
        x = F.conv2d(x, weight, self.bias, stride=self.down, padding=0 if self.down == 2 else size // 2)
        return activated(x, gain, self.clamp) if self.act else x * gain


class DiscriminatorBlock(Filtered):
    def __init__(self, width, outputs, first, clamp):
        super().__init__()
        if first:
            self.fromrgb = Conv(3, width, 1, clamp=clamp)
        self.conv0, self.conv1 = Conv(width, width, 3, clamp=clamp), Conv(width, outputs, 3, 2, clamp=clamp)
        self.skip = Conv(width, outputs, 1, 2, bias=False, act=False)

    def forward(self, x):
        x = self.fromrgb(x) if hasattr(self, "fromrgb") else x
        return self.skip(x, 0.5**0.5) + self.conv1(self.conv0(x), 0.5**0.5)


class Epilogue(nn.Module):
    def __init__(self, width, outputs, group, clamp):
        super().__init__()
        self.conv, self.fc = Conv(width + 1, width, 3, clamp=clamp), Dense(16 * width, width)
        self.out, self.group = Dense(width, outputs), group

    def forward(self, x):
        count = len(x) // min(self.group, len(x))
        maps = [x[i % count :: count].var(0, unbiased=False).add(1e-8).sqrt().mean() for i in range(len(x))]
        maps = torch.stack(maps)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return self.out(activated(self.fc(self.conv(torch.cat([x, maps], 1)).flatten(1))))


class Discriminator(nn.Module):
    def __init__(self, channels, labels=0, layers=8, group=4, clamp=None):
        super().__init__()
        self.sides = [4 * 2**i for i in range(len(channels))]
        for i in range(len(channels) - 1, 0, -1):
            block = DiscriminatorBlock(channels[i], channels[i - 1], i == len(channels) - 1, clamp)
            setattr(self, f"b{self.sides[i]}", block)
        self.b4 = Epilogue(channels[0], channels[0] if labels else 1, group, clamp)
        if labels:
            self.mapping = Mapping(0, labels, channels[0], layers, averaged=False)

    def forward(self, x, labels=None):
        for side in self.sides[:0:-1]:
            x = getattr(self, f"b{side}")(x)
        x = self.b4(x)
        if labels is None:
            return x[:, 0]
        wanted = self.mapping(None, labels)
        return (x * wanted).sum(1) / math.sqrt(x.shape[1])


def drawn(network, seed=0):
    """The network as training would start it, but with noise that is seen, biases and a mean style."""
    torch.manual_seed(seed)
    for name, values in (*network.named_parameters(), *network.named_buffers()):
        if name.endswith("resample_filter"):
            continue
        deviation = 0.3 if name.endswith(("bias", "strength", "w_avg")) else 1.0
        values.data.normal_(0, deviation)
        if "mapping.fc" in name:
            values.data *= 100
        if name.endswith("affine.bias"):
            values.data += 1
    return network.eval()
