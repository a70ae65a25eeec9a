"""Two-dimensional convolution (NHWC, HWIO kernels), with gradients that are fast on a CPU.

XLA's CPU backend is several times slower than it could be at gradients of convolutions, and at a few convolutions. So
on a CPU, with stride 1, the three maps of a convolution (output, gradient for the image, gradient for the kernel) are
written here as what is fast there. Each is linear in both of its arguments and the other two are its derivatives, so
gradients of gradients are as fast. They are exact, up to the order of the sums. Each map is compiled under its own
`jax.jit`, so that the many convolutions of one shape in a network are traced once: tracing a step takes half the time.
"""

from __future__ import annotations

import functools
import itertools

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lgan_jax.ops import backend, winograd

Pads = tuple[tuple[int, int], tuple[int, int]]
Images = Float[Array, "_ _ _ _"]  # batch, height, width, channels
Kernel = Float[Array, "_ _ _ _"]  # rows, columns, channels, features

_NONE: Pads = ((0, 0), (0, 0))
_SMALL = 128  # pixels, over the batch: up to here a matrix product of all patches is the fastest convolution
_FEW = 256  # image's times output's channels: up to here XLA's gradient for the kernel is the fastest
_STRIP = 2**20  # numbers to work on at a time (4 MB): what leaves the cache costs up to twice the time


def convolve(
    image: Float[Array, "batch height width channels"],
    kernel: Float[Array, "rows columns channels features"],
    stride: int = 1,
    padding: Pads = _NONE,
) -> Float[Array, "batch out_height out_width features"]:
    """Cross-correlation (what networks call a convolution) with `padding` zeros before and after rows and columns.

    On a CPU with stride 1, or one that divides the sides of the kernel and of the padded image, it has reverse-mode
    derivatives only, of any order; otherwise it is XLA's convolution.
    """
    if backend.forms().convolution == "own":
        if stride == 1:
            return _convolve(image, kernel, padding)
        sides = (*kernel.shape[:2], *(n + sum(p) for n, p in zip(image.shape[1:3], padding)))
        if not any(side % stride for side in sides):
            return _strided(_pad(image, padding), kernel, stride)
    return _plain(image, kernel, stride, padding)


def convolve_transposed(
    image: Float[Array, "batch height width channels"], kernel: Float[Array, "4 4 channels features"]
) -> Float[Array, "batch rows columns features"]:
    """The transposed convolution of stride 2 and padding 1, which doubles height and width.

    Pixel o of the output is Σᵢ image[i]·kernel[o + 1 − 2i], in both directions. Written as a 2×2 convolution that makes
    four pixels of each place, which is as fast as a convolution.
    """
    channels, features = kernel.shape[2:]
    parts = kernel.reshape(2, 2, 2, 2, channels, features)[::-1, :, ::-1]
    parts = parts.transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, channels, 4 * features)
    pixels = dm_pix.depth_to_space(convolve(image, parts, padding=((1, 1), (1, 1))), 2)
    return pixels[:, 1:-1, 1:-1]


def convolve_upsampled(
    image: Float[Array, "batch height width channels"], kernel: Float[Array, "3 3 channels features"]
) -> Float[Array, "batch rows columns features"]:
    """The convolution, with padding 1, of the image enlarged to twice its size by repeating pixels.

    Places of the kernel that see the same pixel are summed, so the enlarged image is never built: 16 products in the
    place of 36 (four times 32×32 pixels, 24→12 channels, with both gradients: 6.5 ms for 17).
    """
    return convolve_transposed(image, spread(kernel[::-1, ::-1]))


def spread(kernel: Float[Array, "3 3 channels features"]) -> Float[Array, "4 4 channels features"]:
    """A kernel summed over 2×2 places: its even and its odd rows have the same sums, and so have its columns."""
    for axis in (0, 1):
        before, after = ([(0, 0)] * axis + [pad] + [(0, 0)] * (3 - axis) for pad in ((0, 1), (1, 0)))
        kernel = jnp.pad(kernel, before) + jnp.pad(kernel, after)
    return kernel


def _strided(image: Images, kernel: Kernel, stride: int) -> Images:
    """Without padding: a convolution of stride 1 whose channels are squares of pixels.

    XLA's derivatives of derivatives take several times as long (8 times 32×32 pixels, 4×4 kernel, 16→32 channels: 26 ms
    of one core for 11). Where the kernel is larger than what it sees, it is a product of patches, so that the kernel
    stays as it is in memory (8 times 2×2 pixels, 256→512 channels: 8 ms, XLA's 58, by squares 18).
    """
    batch, height, width, channels = image.shape
    rows, columns, _, features = kernel.shape
    down, right = (height - rows) // stride + 1, (width - columns) // stride + 1
    if batch * down * right <= features:
        patches = _unfold(image, (rows, columns), stride, (height, width))
        return (patches.reshape(batch * down * right, -1) @ kernel.reshape(-1, features)).reshape(
            batch, down, right, features
        )
    squares = kernel.reshape(rows // stride, stride, columns // stride, stride, channels, features)
    squares = squares.swapaxes(1, 2).reshape(rows // stride, columns // stride, -1, features)
    return _convolve(dm_pix.space_to_depth(image, stride), squares, _NONE)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _unfold(image: Images, size: tuple[int, int], stride: int, sides: tuple[int, int]) -> Float[Array, "_ _ _ _ _"]:
    """Patches `(batch, down, right, places, channels)` of an image with these sides."""
    steps = [stride * np.arange((side - k) // stride + 1) for side, k in zip(sides, size)]
    row = steps[0][:, None, None, None] + np.arange(size[0])[:, None]
    column = steps[1][:, None, None] + np.arange(size[1])
    pixels = image.reshape(image.shape[0], -1, image.shape[-1])
    taken = pixels.at[:, (row * sides[1] + column).ravel()].get(mode="promise_in_bounds")
    return taken.reshape(len(pixels), len(steps[0]), len(steps[1]), size[0] * size[1], -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _fold(patches: Float[Array, "_ _ _ _ _"], size: tuple[int, int], stride: int, sides: tuple[int, int]) -> Images:
    """The image in which every patch is added at its place: the transpose of `_unfold`, and the other way round."""
    zero = jnp.zeros((), patches.dtype)
    moved = []
    for place, start in enumerate(itertools.product(*map(range, size))):
        lengths = [stride * (n - 1) + 1 for n in patches.shape[1:3]]
        edges = [(s, side - s - n, stride - 1) for s, side, n in zip(start, sides, lengths)]
        moved.append(jax.lax.pad(patches[:, :, :, place], zero, ((0, 0, 0), *edges, (0, 0, 0))))
    return sum(moved[1:], start=moved[0])


_unfold.defvjp(lambda image, *how: (_unfold(image, *how), None), lambda *a: (_fold(a[-1], *a[:3]),))
_fold.defvjp(lambda patches, *how: (_fold(patches, *how), None), lambda *a: (_unfold(a[-1], *a[:3]),))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
@functools.partial(jax.jit, static_argnums=2)
def _convolve(image: Images, kernel: Kernel, padding: Pads) -> Images:
    if not _as_product(image, kernel.shape[:2]):
        return _large(image, kernel, padding)
    image = _pad(image, padding)
    rows, columns, _, features = kernel.shape
    product = _patches(image, rows, columns) @ kernel.reshape(-1, features)
    return product.reshape(len(image), image.shape[1] - rows + 1, image.shape[2] - columns + 1, features)


def _large(image: Images, kernel: Kernel, padding: Pads) -> Images:
    """Winograd's algorithm where it pays (128×128 pixels, 128→256 channels: 80 ms of one core, directly 115).

    Otherwise XLA's convolution. Without any padding its CPU kernel takes four times as long (258×258 pixels, 64→64
    channels: 255 ms of one core for 54), so it is given a row of zeros too many, and what that makes is dropped.
    """
    batch, height, width = (n + sum(p) for n, p in zip(image.shape, (_NONE[0], *padding)))
    channels, features = kernel.shape[2:]
    even = height % 2 == width % 2 == 0
    wide = features >= max(128, channels) and batch * height * width >= 64 * 64
    if kernel.shape[:2] == (3, 3) and even and wide and image.dtype == kernel.dtype == jnp.float32:
        depth = _depth(height - 2, 4 * batch * width * channels, unit=2)
        return winograd.convolve(_pad(image, padding), kernel, depth)
    if padding == _NONE:
        return _plain(image, kernel, 1, ((0, 1), (0, 0)))[:, :-1]
    return _plain(image, kernel, 1, padding)


@functools.partial(jax.jit, static_argnums=2)
def _input_gradient(kernel: Kernel, gradient: Images, padding: Pads) -> Images:
    """The derivative of ⟨gradient, convolve(image, kernel)⟩ for the image: a convolution with the flipped kernel.

    On small maps flipping costs more than convolving (4×4 pixels, 1024→2048 channels: 200 ms of one core): there the
    kernel stays as it is in memory, and the products for its places are moved where they belong (12 ms).
    """
    rows, columns, channels, features = kernel.shape
    if not _as_product(gradient, (rows, columns)):
        (top, bottom), (left, right) = padding
        rest = ((rows - 1 - top, rows - 1 - bottom), (columns - 1 - left, columns - 1 - right))
        return _convolve(gradient, kernel[::-1, ::-1].swapaxes(2, 3), rest)
    products = gradient.reshape(-1, features) @ kernel.reshape(-1, features).T
    products = products.reshape(*gradient.shape[:3], rows, columns, channels)
    places = itertools.product(range(rows), range(columns))
    moved = [_pad(products[:, :, :, r, c], ((r, rows - 1 - r), (c, columns - 1 - c))) for r, c in places]
    (top, bottom), (left, right) = padding
    return _pad(sum(moved[1:], start=moved[0]), ((-top, -bottom), (-left, -right)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
@functools.partial(jax.jit, static_argnums=(2, 3))
def _kernel_gradient(image: Images, gradient: Images, padding: Pads, size: tuple[int, int]) -> Kernel:
    """The derivative of ⟨gradient, convolve(image, kernel)⟩ for a kernel of that size: patchesᵀ · gradient.

    Patches are built and used one strip of rows after the other, so that they stay in the cache, and of the argument
    with fewer channels (256×256 pixels, 64→64 channels: 105 ms of one core, XLA's own 175). Patches of few channels
    take long to make: between few channels it is XLA's (8 times 64×64 pixels, 7×7 kernel, 3→16 channels: 3 ms for 18).
    """
    image = _pad(image, padding)
    few = image.shape[-1] * gradient.shape[-1] <= _FEW
    if image.shape[-1] > gradient.shape[-1]:
        around = tuple((k - 1, k - 1) for k in size)
        gradient, image = image, _pad(gradient, around)
        kernel = _correlated(image, gradient) if few else _summed_strips(image, gradient, size)
        return kernel[::-1, ::-1].swapaxes(2, 3)
    return _correlated(image, gradient) if few else _summed_strips(image, gradient, size)


def _correlated(image: Images, gradient: Images) -> Kernel:
    """XLA's gradient for the kernel."""
    layout = ("CHWN", "IHWO", "HWNC")
    return jax.lax.conv_general_dilated(image, gradient, (1, 1), _NONE, dimension_numbers=layout)


def _summed_strips(image: Images, gradient: Images, size: tuple[int, int]) -> Kernel:
    batch, height, width, features = gradient.shape
    depth = _depth(height, batch * width * size[0] * size[1] * image.shape[-1])

    def strip(top: int | Array) -> Array:
        patches = _patches(jax.lax.dynamic_slice_in_dim(image, top, depth + size[0] - 1, 1), *size)
        part = jax.lax.dynamic_slice_in_dim(gradient, top, depth, 1).reshape(-1, features)
        return jnp.matmul(patches.T, part, preferred_element_type=jnp.promote_types(part.dtype, jnp.float32))

    total = strip(0)
    if depth < height:
        total, _ = jax.lax.scan(lambda sofar, top: (sofar + strip(top), None), total, jnp.arange(depth, height, depth))
    return total.reshape(*size, image.shape[-1], features).astype(gradient.dtype)


def _convolve_backward(padding, residuals, gradient):
    image, kernel = residuals
    size = kernel.shape[:2]
    return _input_gradient(kernel, gradient, padding), _kernel_gradient(image, gradient, padding, size)


def _kernel_gradient_backward(padding, size, residuals, cotangent):
    image, gradient = residuals
    return _input_gradient(cotangent, gradient, padding), _convolve(image, cotangent, padding)


_convolve.defvjp(
    lambda image, kernel, padding: (_convolve(image, kernel, padding), (image, kernel)), _convolve_backward
)
_kernel_gradient.defvjp(
    lambda image, gradient, padding, size: (_kernel_gradient(image, gradient, padding, size), (image, gradient)),
    _kernel_gradient_backward,
)


def _depth(height: int, numbers: int, unit: int = 1) -> int:
    """How many rows, of so many numbers each, to work on at a time: a divisor of `height`, a multiple of `unit`."""
    return max(d for d in range(unit, height + 1, unit) if height % d == 0 and (d == unit or d * numbers <= _STRIP))


def _as_product(image: Images, size: tuple[int, int]) -> bool:
    return size == (1, 1) or image.shape[0] * image.shape[1] * image.shape[2] <= _SMALL


def _plain(image: Images, kernel: Kernel, stride: int, padding: Pads) -> Images:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(image, kernel, (stride, stride), padding, dimension_numbers=layout)


def _pad(image: Images, padding: Pads) -> Images:
    """With so many zeros around it; without so many pixels where a number is negative."""
    edges = ((0, 0, 0), (*padding[0], 0), (*padding[1], 0), (0, 0, 0))
    return jax.lax.pad(image, jnp.zeros((), image.dtype), edges)


def _patches(image: Images, rows: int, columns: int) -> Float[Array, "_ _"]:
    """What a kernel of `rows` × `columns` sees at each place, one place a row (a gather: a tenth of concatenating)."""
    batch, height, width, channels = image.shape
    if rows == columns == 1:
        return image.reshape(-1, channels)
    row = np.arange(height - rows + 1)[:, None, None, None] + np.arange(rows)[:, None]
    column = np.arange(width - columns + 1)[:, None, None] + np.arange(columns)
    pixels = image.reshape(batch, height * width, channels)
    taken = pixels.at[:, (row * width + column).ravel()].get(mode="promise_in_bounds")
    return taken.reshape(-1, rows * columns * channels)
