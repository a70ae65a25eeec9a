"""Images of all formats to uint8 RGB as viewers show them."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, features

from lgan_jax.media import images, photos

HEIGHT, WIDTH = 24, 40
PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
PICTURE[:, :20], PICTURE[:, 20:], PICTURE[:8, :8] = (200, 60, 40), (30, 90, 190), (240, 240, 240)
MIDDLES = ((3, 3), (16, 8), (12, 32))  # of the three parts


def encoded(kind, image=PICTURE, **options):
    data = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(data, kind, **options)
    return data.getvalue()


def assert_shown(image, wanted=PICTURE, tolerance=8):
    assert (image.shape, image.dtype) == (wanted.shape, np.uint8)
    for place in MIDDLES:
        np.testing.assert_allclose(image[place].astype(int), wanted[place].astype(int), atol=tolerance)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"quality": 95}),
        ("GIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("JPEG2000", {}),
        ("PPM", {}),
        ("AVIF", {"quality": 95}),
        ("HEIF", {"quality": 95}),
    ],
)
def test_formats_are_read_by_their_contents(kind, options):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="needs pillow-heif").register_heif_opener()
    assert_shown(images.decode(encoded(kind, **options)))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("JPEG", mode) for mode in ("CMYK", "L")),
        *(("PNG", mode) for mode in ("L", "P", "1", "LA")),
        *(("TIFF", mode) for mode in ("CMYK", "L", "P", "1", "LA")),
        ("GIF", "P"),
    ],
)
def test_modes_are_resolved(kind, mode):
    image = Image.fromarray(PICTURE)
    converted = image.quantize(8) if mode == "P" else image.convert(mode)
    assert_shown(images.decode(encoded(kind, converted)), np.asarray(converted.convert("RGB")), 12)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_tags_are_undone(kind, orientation):
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](PICTURE)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    quality = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    assert_shown(images.decode(encoded(kind, np.ascontiguousarray(stored), **options, **quality)))


@pytest.mark.parametrize(("ending", "scale", "kind"), [
    (".png", 257, np.uint16), (".tif", 257, np.uint16), (".tif", 1 / 255, np.float32), (".tif", 1.0, np.float32)
])  # fmt: skip
@pytest.mark.parametrize("gray", [False, True])
def test_deep_samples_are_scaled_not_cut(ending, scale, kind, gray):
    deep = (PICTURE[..., ::-1] * np.float64(scale)).astype(kind)
    wanted = np.repeat(PICTURE[..., 2:], 3, -1) if gray else PICTURE
    data = cv2.imencode(ending, deep[..., 0] if gray else deep)[1].tobytes()
    assert_shown(images.decode(data), wanted, 1)


def test_values_that_are_no_numbers_are_black():
    deep = PICTURE[..., 0].astype(np.float32) / 255
    deep[3, 3] = np.nan
    image = images.decode(cv2.imencode(".tif", deep)[1].tobytes())
    assert image[3, 3].tolist() == [0, 0, 0]
    assert abs(int(image[16, 8, 0]) - 200) <= 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_hidden_pixels_never_show(kind):
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:8, :8] = 0
    data = encoded(kind, np.dstack([PICTURE, alpha]), **{"lossless": True, "exact": True} if kind == "WEBP" else {})
    photo = images.decode_photo(data)
    wanted = PICTURE.copy()
    wanted[:8, :8] = photos.BACKGROUND
    assert_shown(photo.image, wanted)
    np.testing.assert_array_equal(photo.alpha, alpha)


def test_a_palette_with_a_transparent_entry():
    image = Image.fromarray(PICTURE).quantize(4)
    entry = image.getpixel((3, 3))
    photo = images.decode_photo(encoded("PNG", image, transparency=entry))
    assert photo.image[3, 3].tolist() == [255, 255, 255]
    assert (photo.alpha[3, 3], photo.alpha[16, 8]) == (0, 255)


def test_half_transparent_colors_are_mixed_and_come_back():
    mixed = photos.composited(np.dstack([PICTURE, np.full((HEIGHT, WIDTH), 51, np.uint8)]))
    np.testing.assert_allclose(mixed.image[16, 8].astype(int), 0.2 * np.array([200, 60, 40]) + 0.8 * 255, atol=1)
    back = photos.with_alpha(mixed.image, mixed.alpha)
    np.testing.assert_allclose(back[16, 8].astype(int), [200, 60, 40, 51], atol=3)
    assert photos.composited(np.dstack([PICTURE, np.full((HEIGHT, WIDTH), 255, np.uint8)])).alpha is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no image"),
        (b"PK\x03\x04rest", "no image can be decoded: it is a ZIP archive"),
        (b"\n<html><body>404", "it is a web page or XML"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "truncated"),
        (encoded("PNG")[:60], "truncated"),
        (encoded("WEBP")[:60], "WebP image is damaged"),
        (encoded("TIFF")[:300], "TIFF image is damaged"),
    ],
)
def test_what_cannot_be_decoded_is_one_line(data, said):
    with pytest.raises(ValueError, match=said) as caught:
        images.decode(data)
    assert "\n" not in str(caught.value)


def test_heic_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"HEIC photo, which needs pillow-heif: pip install 'lgan_jax\[faces\]'"):
        images.decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))


def test_records_keep_what_decodes_fast_and_else_png():
    from lgan_jax.data.builders import base

    for kind in ("JPEG", "PNG"):
        data = encoded(kind)
        assert base.stored(data, images.decode(data)) is data
    for data in (encoded("WEBP"), encoded("BMP"), encoded("PNG", np.dstack([PICTURE, PICTURE[..., 0]]))):
        stored = base.stored(data, images.decode(data))
        assert stored.startswith(b"\x89PNG")
        np.testing.assert_array_equal(images.decode(stored), images.decode(data))


def test_large_photos_are_reduced(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((6, 9000), np.uint8))
    assert images.read(tmp_path / "a.png").image.shape == (5, 8192, 3)
