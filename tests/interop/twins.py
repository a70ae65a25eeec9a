"""The published networks in plain PyTorch, as small as wanted: their parameters' names, their layers, their order.

Written from the papers and the list of names, with the activations that overwrite their input where the originals have
them. Images are NCHW, landmarks `(batch, 2N)` in the frame and order of the published models.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import nn


def pointwise(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 1)


def five_layers(ends, width):
    sizes, layers = [ends, width, width, width, width, ends], []
    for before, after in itertools.pairwise(sizes):
        layers += [pointwise(before, after), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers[:-1])


class Encoder(nn.Module):
    def __init__(self, points, width):
        super().__init__()
        self.lm_encoder = five_layers(2 * points, width)

    def forward(self, landmarks):
        return self.lm_encoder(landmarks[..., None, None]).flatten(1)


class Decoder(nn.Module):
    def __init__(self, points, width, identities):
        super().__init__()
        self.lm_decoder_list = nn.ModuleList(five_layers(2 * points, width) for _ in range(identities))

    def forward(self, latent, identity):
        return self.lm_decoder_list[identity](latent[..., None, None]).flatten(1)


class UpScale(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.upscale = nn.Sequential(
            nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(2)
        )

    def forward(self, x):
        return self.upscale(x)


class Generator(nn.Module):
    """Landmarks to an image in [0, 1] of 8·2^blocks pixels; `width` is a factor on the channels."""

    def __init__(self, points, width, blocks=5):
        super().__init__()
        self.first, *channels = (round(width * full) for full in (1024, 512, 256, 128, 128, 128, 64))
        self.conv102_1024 = nn.Sequential(pointwise(2 * points, self.first), nn.LeakyReLU(0.1))
        self.fc2 = nn.Linear(self.first, 16 * self.first)
        self.upscale = UpScale(self.first, channels[0])
        layers = []
        for before, after in itertools.pairwise(channels[: blocks + 1]):
            layers += [UpScale(before, after), nn.Conv2d(after, after, 3, padding=1)]
        layers += [nn.Conv2d(channels[blocks], 3, 5, padding=2), nn.Sigmoid()]
        self.decoder_list = nn.ModuleList([nn.Sequential(*layers)])

    def forward(self, landmarks):
        x = self.fc2(self.conv102_1024(landmarks[..., None, None]).flatten(1))
        return self.decoder_list[0](self.upscale(x.view(-1, self.first, 4, 4)))


class Padded(nn.Module):
    """A convolution after an activation that overwrites what it is given."""

    def __init__(self, inputs, outputs, size, activated=True, bias=True):
        super().__init__()
        self.activated = activated
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, padding_mode="reflect", bias=bias)

    def forward(self, x):
        return self.conv(F.leaky_relu(x, 0.2, inplace=True) if self.activated else x)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv_0, self.conv_1 = Padded(inputs, min(inputs, outputs), 3), Padded(min(inputs, outputs), outputs, 3)
        if inputs != outputs:
            self.conv_s = Padded(inputs, outputs, 1, activated=False, bias=False)

    def forward(self, x):
        shortcut = self.conv_s(x) if hasattr(self, "conv_s") else x
        return shortcut + self.conv_1(self.conv_0(x))


class Discriminator(nn.Module):
    """An image to logits and to the features that feature matching compares."""

    def __init__(self, width):
        super().__init__()
        self.cnn_f = nn.Sequential(
            Padded(3, width, 7, activated=False),
            Residual(width, width),
            Residual(width, 2 * width),
            nn.ReflectionPad2d(1),
            nn.AvgPool2d(3, stride=2),
            Residual(2 * width, 2 * width),
            Residual(2 * width, 4 * width),
        )
        self.cnn_c = nn.Sequential(Padded(4 * width, 1, 1))

    def forward(self, image):
        features = self.cnn_f(image)
        return self.cnn_c(features), features


class ConvBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        sizes = [inputs, outputs // 2, outputs // 4, outputs // 4]
        for i in (1, 2, 3):
            setattr(self, f"bn{i}", nn.BatchNorm2d(sizes[i - 1]))
            setattr(self, f"conv{i}", nn.Conv2d(sizes[i - 1], sizes[i], 3, padding=1, bias=False))
        self.downsample = None
        if inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.downsample = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(True), conv)

    def forward(self, x):
        a = self.conv1(F.relu(self.bn1(x)))
        b = self.conv2(F.relu(self.bn2(a)))
        c = self.conv3(F.relu(self.bn3(b)))
        return torch.cat([a, b, c], 1) + (x if self.downsample is None else self.downsample(x))


class HourGlass(nn.Module):
    def __init__(self, depth, features, number, pool):
        super().__init__()
        self.depth, self.number, self.pool = depth, number, pool
        for level in range(depth, 0, -1):
            for place in ("b1", "b2", "b3"):
                setattr(self, f"{place}_{level}{number}", ConvBlock(features, features))
        setattr(self, f"b2_plus_1{number}", ConvBlock(features, features))

    def forward(self, x):
        return self.at(self.depth, x)

    def at(self, level, x):
        def block(place):
            return getattr(self, f"{place}_{level}{self.number}")

        low = block("b2")(self.pool(x, 2))
        low = block("b3")(self.at(level - 1, low) if level > 1 else block("b2_plus")(low))
        return block("b1")(x) + F.interpolate(low, scale_factor=2, mode="nearest")


class FAN(nn.Module):
    """An image to the heatmaps of the last stack. `number` is what LandmarkGAN's release adds to names."""

    def __init__(self, points, width, depth, stacks, number="", pool=F.avg_pool2d):
        super().__init__()
        self.stacks, self.number, self.pool = stacks, number, pool
        self.conv1, self.bn1 = nn.Conv2d(3, width // 4, 7, stride=2, padding=3), nn.BatchNorm2d(width // 4)
        self.conv2, self.conv3 = ConvBlock(width // 4, width // 2), ConvBlock(width // 2, width // 2)
        self.conv4 = ConvBlock(width // 2, width)
        for i in range(stacks):
            setattr(self, f"m{i}", HourGlass(depth, width, number, pool))
            setattr(self, f"top_m_{i}{number}", ConvBlock(width, width))
            setattr(self, f"conv_last{i}", pointwise(width, width))
            setattr(self, f"bn_end{i}", nn.BatchNorm2d(width))
            setattr(self, f"l{i}", pointwise(width, points))
            if i < stacks - 1:
                setattr(self, f"bl{i}", pointwise(width, width))
                setattr(self, f"al{i}", pointwise(points, width))

    def forward(self, image):
        x = self.pool(self.conv2(F.relu(self.bn1(self.conv1(image)))), 2)
        x = self.conv4(self.conv3(x))
        for i in range(self.stacks):
            layer = {name: getattr(self, f"{name}{i}", None) for name in ("m", "conv_last", "bn_end", "l", "bl", "al")}
            y = getattr(self, f"top_m_{i}{self.number}")(layer["m"](x))
            y = F.relu(layer["bn_end"](layer["conv_last"](y)))
            heatmaps = layer["l"](y)
            if layer["bl"] is not None:
                x = x + layer["bl"](y) + layer["al"](heatmaps)
        return heatmaps


class Detector(FAN):
    """An image to heatmaps that sum to 1 and to landmarks `(batch, N, 2)` by DSNT."""

    def __init__(self, points, width, depth):
        super().__init__(points, width, depth, 1, "_0", F.max_pool2d)
        self.hm_conv0 = nn.Conv2d(points, points, 1, bias=False)

    def forward(self, image):
        logits = self.hm_conv0(super().forward(image))
        heatmaps = F.softmax(logits.flatten(2), -1).view(logits.shape)
        size = logits.shape[-1]
        places = (2 * torch.arange(1, size + 1) - (size + 1)) / size
        found = torch.stack([heatmaps.sum(2) @ places, heatmaps.sum(3) @ places], -1)
        return heatmaps, ((found + 1) * size - 1) / 2 / (size - 1)


def drawn(module, seed=0):
    """The module for evaluation, with nothing left at 0 or 1 where it starts; activations keep their size."""
    torch.manual_seed(seed)
    for name, values in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            values.fill_(7)
        elif values.ndim > 1:
            values.normal_(0, (2 / values[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "weight")):
            values.uniform_(0.5, 1.5)
        else:
            values.normal_(0, 0.3)
    return module.eval()


def arrays(module):
    return {name: values.numpy() for name, values in module.state_dict().items()}


class VGG(nn.Module):
    """torchvision's VGG with convolutions of `width` channels in its first block, and a head that no feature needs."""

    def __init__(self, blocks, width):
        super().__init__()
        layers, before = [], 3
        for count, factor in zip(blocks, (1, 2, 4, 8, 8)):
            for _ in range(count):
                layers += [nn.Conv2d(before, factor * width, 3, padding=1), nn.ReLU(inplace=True)]
                before = factor * width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(7, 3))

    def forward(self, image, layers):
        """Of images in [0, 1], what comes after so many of `features`."""
        mean, deviation = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return self.features[:layers]((image - mean) / deviation)
