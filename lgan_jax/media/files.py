"""Identifies a file's format by its contents; and lists the files of a folder that count.

`FORMATS` is the one list of the formats that are read. Contents decide, not the end of a name. The end decides only
where the contents say nothing, so that a damaged video is still called one.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image

Kind = Literal["photo", "video", "other"]

HEAD = 1024  # bytes that identify a file
_STILL, _MOVING = ["heic", "heix", "heim", "heis", "hevx", "mif1", "msf1", "avif"], ["hevc", "avis"]
_SOUND = ("M4A ", "M4B ", "M4P ")
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid")
_SYNC = 0x47  # first byte of a transport stream's packet
_BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes, of BMP's versions
_MAY_MOVE = ("GIF", "PNG", "WebP", "AVIF")
_TEXT = (".txt", ".csv", ".json", ".md", ".pts", ".npz", ".tfrecord")
_LEFTOVERS = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})


class Format(NamedTuple):
    """A file format.

    Attributes:
      name: in messages.
      kind: "photo", "video" (animated images too), or "other" for what is known but not read.
      endings: of usual names.
      magic: a regular expression that the first bytes match; empty where `identify` looks itself.
    """

    name: str
    kind: Kind
    endings: tuple[str, ...] = ()
    magic: bytes = b""


FORMATS: Sequence[Format] = (
    Format("JPEG", "photo", (".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff"),
    Format("PNG", "photo", (".png", ".apng"), rb"\x89PNG\r\n\x1a\n"),
    Format("WebP", "photo", (".webp",), rb"RIFF....WEBP"),
    Format("GIF", "photo", (".gif",), rb"GIF8[79]a"),
    Format("TIFF", "photo", (".tif", ".tiff"), rb"II[*+]\0|MM\0[*+]"),
    Format("BMP", "photo", (".bmp", ".dib")),
    Format("JPEG 2000", "photo", (".jp2", ".j2k", ".jpx"), rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    Format("PNM", "photo", (".ppm", ".pgm", ".pbm", ".pnm"), rb"P[1-6][ \t\r\n#]"),
    Format("HEIC", "photo", (".heic", ".heif", ".hif")),
    Format("AVIF", "photo", (".avif",)),
    Format("MP4 or QuickTime", "video", (".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v")),
    Format("Matroska or WebM", "video", (".mkv", ".webm"), rb"\x1a\x45\xdf\xa3"),
    Format("AVI", "video", (".avi", ".divx"), rb"RIFF....AVI[ X\x19]"),
    Format("MPEG transport stream", "video", (".ts", ".mts", ".m2ts", ".m2t", ".tod")),
    Format("MPEG", "video", (".mpg", ".mpeg", ".vob", ".m2v", ".mpv", ".mod"), rb"\0\0\x01[\xba\xb3]"),
    Format("Windows Media", "video", (".wmv", ".asf"), rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    Format("Flash video", "video", (".flv",), rb"FLV\x01"),
    Format("Ogg", "video", (".ogv", ".ogg"), rb"OggS"),
    Format("MXF", "video", (".mxf",), rb"\x06\x0e\x2b\x34\x02\x05\x01\x01"),
    Format("DV", "video", (".dv",), rb"\x1f\x07\0[\x3f\xbf]"),
    Format(
        "raw video",
        "video",
        (".y4m", ".ivf", ".264", ".h264", ".265", ".hevc"),
        rb"YUV4MPEG2|DKIF|\0\0\0\x01[\x67\x27\x40\x42\x46]",
    ),
    Format(
        "a web page or XML", "other", (".svg", ".html", ".xml"), rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|svg)"
    ),
    Format("a stub of Git LFS", "other", (), rb"version https://git-lfs"),
    Format("a PDF document", "other", (".pdf",), rb"%PDF-"),
    Format("a ZIP archive", "other", (".zip",), rb"PK\x03\x04"),
    Format("a Photoshop document", "other", (".psd", ".psb"), rb"8BPS"),
    Format("JPEG XL", "other", (".jxl",), rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    Format("OpenEXR", "other", (".exr",), rb"\x76\x2f\x31\x01"),
    Format("a playlist", "other", (".m3u8", ".m3u"), rb"#EXTM3U|ffconcat"),
    Format("sound alone", "other", (".mp3", ".m4a", ".flac", ".wav"), rb"ID3|fLaC|RIFF....WAVE|\xff[\xfb\xf3\xf1\xf9]"),
    Format(
        "a camera's raw photo",
        "other",
        (".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef"),
        rb"FUJIFILMCCD-RAW|IIU\0|IIRO|II\x2a\0\x10\0\0\0CR",
    ),
)
_BY_NAME = {each.name: each for each in FORMATS}
_BY_ENDING = {ending: each for each in FORMATS for ending in each.endings}
_MAGIC = [(re.compile(each.magic, re.DOTALL), each) for each in reversed(FORMATS) if each.magic]
PHOTO_ENDINGS = tuple(ending for each in FORMATS if each.kind == "photo" for ending in each.endings)


def identify(head: bytes, ending: str = "") -> Format | None:
    """The format of a file, given its first `HEAD` bytes; None where they say nothing.

    A camera's raw photo is a TIFF file whose image is a small preview, so that `ending` decides between the two.
    """
    found = next((each for pattern, each in _MAGIC if pattern.match(head)), None) or _by_structure(head)
    raw = _BY_NAME["a camera's raw photo"]
    return raw if found and found.name == "TIFF" and ending.lower() in raw.endings else found


def _by_structure(head: bytes) -> Format | None:
    if head[4:8] in _BOXES:
        return _BY_NAME[_iso_media(head)]
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return _BY_NAME["BMP"]
    for size, first in ((188, 0), (192, 4), (204, 0)):  # packets alone, with a time before them, with parity behind
        if len(head) > first + 2 * size and all(head[first + i * size] == _SYNC for i in range(3)):
            return _BY_NAME["MPEG transport stream"]
    return None


def _iso_media(head: bytes) -> str:
    """The name of the format of a file of ISO media boxes: HEIC, AVIF, sound, or video."""
    if head[4:8] != b"ftyp":
        return "MP4 or QuickTime"
    size = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = [head[i : i + 4].decode("latin-1") for i in (8, *range(16, size, 4))]
    if brands[0] == "crx ":
        return "a camera's raw photo"
    if brands[0] in (*_STILL, *_MOVING):
        return "AVIF" if {"avif", "avis"} & set(brands) else "HEIC"
    return "sound alone" if brands[0] in _SOUND else "MP4 or QuickTime"


def format_of(path: Path) -> Format | None:
    """The format of the file at `path`: by its contents, and by the end of its name where they say nothing.

    None for what is no file, cannot be opened, or is in no format of `FORMATS`.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return _BY_ENDING.get(path.suffix.lower())
    return identify(head, path.suffix) or _BY_ENDING.get(path.suffix.lower())


def kind(path: Path) -> str:
    """What a file is read as: a "photo", a "video" (animated images too), or "" where it is neither."""
    found = format_of(path)
    if found is None or found.kind == "other":
        return ""
    return "video" if found.name in _MAY_MOVE and _frame_count(path) > 1 else found.kind


def _frame_count(path: Path) -> int:
    """How many frames an image has by its header; 1 where that cannot be read."""
    Image.init()
    try:
        with Image.open(path, formats=_MAY_MOVE) as image:
            return getattr(image, "n_frames", 1)
    except Exception:  # any exception of a decoder, given untrusted bytes
        return 1


def is_photo(path: Path) -> bool:
    """Whether a file of a data set is a photo: by the end of its name, and by its contents where that says nothing.

    Data sets have many files, and opening each takes long. One that is something else is found out when it is decoded.
    """
    ending = _BY_ENDING.get(path.suffix.lower())
    return ending.kind == "photo" if ending else path.suffix.lower() not in _TEXT and kind(path) == "photo"


def hidden(path: Path) -> bool:
    """Whether a file or folder is a system's own: dot files (a Mac's `._…` too), `__MACOSX`, `Thumbs.db`."""
    return path.name.startswith(".") or path.name.lower() in _LEFTOVERS


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """What lies in a folder and matches a glob pattern, sorted, without `hidden` files; [] where there is no folder."""
    return sorted(path for path in folder.glob(pattern) if not hidden(path))


def walk(root: Path) -> Iterator[Path]:
    """All files below a folder, sorted, without `hidden` ones; links to folders are followed, each folder once."""
    seen = set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        visible = sorted(name for name in folders if not hidden(Path(name)))
        folders[:] = [] if real in seen else visible
        if real in seen:
            continue
        seen.add(real)
        yield from (path for name in sorted(names) if not hidden(path := Path(place, name)))


def natural(path: Path) -> list[tuple[int, str]]:
    """A sorting key that puts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def shown(name: str | os.PathLike) -> str:
    """A name for messages and JSON files; bytes of it that are no UTF-8 are written as \\xe9."""
    return os.fsencode(name).decode(errors="backslashreplace")


def nfc(name: str) -> str:
    """A name in Unicode's NFC, for comparing: é is one character in it, where a Mac writes e and an accent."""
    return unicodedata.normalize("NFC", name)


def given(text: str | os.PathLike) -> Path:
    """A path as a user gives it: `~` is the home folder, and é finds a name that is stored as e and an accent."""
    wanted = Path(text).expanduser()
    if wanted.exists():
        return wanted
    found = Path(wanted.anchor)
    for part in wanted.parts[len(found.parts) :]:
        there = (found / part).exists() or not found.is_dir()
        found /= part if there else named(part, sorted(path.name for path in found.iterdir())) or part
    return found


def named(wanted: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is spelt as `wanted`; é is the same whether it is one character or two (Unicode NFC)."""
    among = list(names)
    same = (name for name in among if nfc(name) == nfc(wanted))
    return wanted if wanted in among else next(same, None)


def summary(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
