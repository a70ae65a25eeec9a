"""pytorch-fid's Inception-v3 in plain PyTorch, as narrow as wanted: its parameters' names, its layers, their order."""

import torch
import torch.nn.functional as F
from torch import nn


class Conv(nn.Module):
    def __init__(self, before, after, size, stride, padding):
        super().__init__()
        self.conv = nn.Conv2d(before, after, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Layers(nn.Module):
    """Holds convolutions, given as (channels before, after, kernel size, stride) for the full width of 32."""

    def __init__(self, width, **layers):
        super().__init__()
        for name, (before, after, size, *stride) in layers.items():
            rows, columns = size if isinstance(size, tuple) else (size, size)
            padding = 0 if stride else (rows // 2, columns // 2)
            conv = Conv(before * width // 32 if before > 3 else 3, after * width // 32, size, *(stride or [1]), padding)
            setattr(self, name, conv)

    def chain(self, x, name, count):
        for i in range(1, count + 1):
            x = getattr(self, f"{name}_{i}")(x)
        return x


def mean(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class A(Layers):
    def __init__(self, width, before, pooled):
        super().__init__(
            width,
            branch1x1=(before, 64, 1),
            branch5x5_1=(before, 48, 1),
            branch5x5_2=(48, 64, 5),
            branch3x3dbl_1=(before, 64, 1),
            branch3x3dbl_2=(64, 96, 3),
            branch3x3dbl_3=(96, 96, 3),
            branch_pool=(before, pooled, 1),
        )

    def forward(self, x):
        chains = self.chain(x, "branch5x5", 2), self.chain(x, "branch3x3dbl", 3)
        return torch.cat([self.branch1x1(x), *chains, self.branch_pool(mean(x))], 1)


class B(Layers):
    def __init__(self, width):
        super().__init__(
            width,
            branch3x3=(288, 384, 3, 2),
            branch3x3dbl_1=(288, 64, 1),
            branch3x3dbl_2=(64, 96, 3),
            branch3x3dbl_3=(96, 96, 3, 2),
        )

    def forward(self, x):
        return torch.cat([self.branch3x3(x), self.chain(x, "branch3x3dbl", 3), F.max_pool2d(x, 3, 2)], 1)


class C(Layers):
    def __init__(self, width, inner):
        super().__init__(
            width,
            branch1x1=(768, 192, 1),
            branch7x7_1=(768, inner, 1),
            branch7x7_2=(inner, inner, (1, 7)),
            branch7x7_3=(inner, 192, (7, 1)),
            branch7x7dbl_1=(768, inner, 1),
            branch7x7dbl_2=(inner, inner, (7, 1)),
            branch7x7dbl_3=(inner, inner, (1, 7)),
            branch7x7dbl_4=(inner, inner, (7, 1)),
            branch7x7dbl_5=(inner, 192, (1, 7)),
            branch_pool=(768, 192, 1),
        )

    def forward(self, x):
        chains = self.chain(x, "branch7x7", 3), self.chain(x, "branch7x7dbl", 5)
        return torch.cat([self.branch1x1(x), *chains, self.branch_pool(mean(x))], 1)


class D(Layers):
    def __init__(self, width):
        super().__init__(
            width,
            branch3x3_1=(768, 192, 1),
            branch3x3_2=(192, 320, 3, 2),
            branch7x7x3_1=(768, 192, 1),
            branch7x7x3_2=(192, 192, (1, 7)),
            branch7x7x3_3=(192, 192, (7, 1)),
            branch7x7x3_4=(192, 192, 3, 2),
        )

    def forward(self, x):
        chains = self.chain(x, "branch3x3", 2), self.chain(x, "branch7x7x3", 4)
        return torch.cat([*chains, F.max_pool2d(x, 3, 2)], 1)


class E(Layers):
    def __init__(self, width, before, pool):
        super().__init__(
            width,
            branch1x1=(before, 320, 1),
            branch3x3_1=(before, 384, 1),
            branch3x3_2a=(384, 384, (1, 3)),
            branch3x3_2b=(384, 384, (3, 1)),
            branch3x3dbl_1=(before, 448, 1),
            branch3x3dbl_2=(448, 384, 3),
            branch3x3dbl_3a=(384, 384, (1, 3)),
            branch3x3dbl_3b=(384, 384, (3, 1)),
            branch_pool=(before, 192, 1),
        )
        self.pool = pool

    def forward(self, x):
        y, z = self.branch3x3_1(x), self.chain(x, "branch3x3dbl", 2)
        forks = self.branch3x3_2a(y), self.branch3x3_2b(y), self.branch3x3dbl_3a(z), self.branch3x3dbl_3b(z)
        return torch.cat([self.branch1x1(x), *forks, self.branch_pool(self.pool(x))], 1)


class Inception(Layers):
    def __init__(self, width=32, classes=1008):
        super().__init__(
            width,
            Conv2d_1a_3x3=(3, 32, 3, 2),
            Conv2d_2a_3x3=(32, 32, 3, 1),
            Conv2d_2b_3x3=(32, 64, 3),
            Conv2d_3b_1x1=(64, 80, 1),
            Conv2d_4a_3x3=(80, 192, 3, 1),
        )
        blocks = {
            **{"5b": A(width, 192, 32), "5c": A(width, 256, 64), "5d": A(width, 288, 64), "6a": B(width)},
            **{f"6{letter}": C(width, inner) for letter, inner in zip("bcde", (128, 160, 160, 192))},
            **{"7a": D(width), "7b": E(width, 1280, mean), "7c": E(width, 2048, lambda x: F.max_pool2d(x, 3, 1, 1))},
        }
        for name, block in blocks.items():
            setattr(self, f"Mixed_{name}", block)
        self.fc = nn.Linear(2048 * width // 32, classes)

    def forward(self, image, side):
        """Of images in [0, 1], resized to `side`: the means of the last block, and logits."""
        x = 2 * F.interpolate(image, size=(side, side), mode="bilinear", align_corners=False) - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = F.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x.mean((2, 3)), self.fc(x.mean((2, 3)))
