"""Marks on everything that is made: that a trained model made it, with which version of this library and which run.

Files carry an XMP packet with IPTC's `DigitalSourceType`: in PNG as the text chunk `XML:com.adobe.xmp`, in MP4 as a
`uuid` box (XMP specification part 3; IPTC Photo Metadata Standard 2025.1, "AI System Used"). Pictures may carry a small
visible mark in a corner too.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import uuid
from pathlib import Path
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP_BOX = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
_VERSION = importlib.metadata.version("lgan_jax")
_PNG_KEY = "XML:com.adobe.xmp"
_TEXT = "AI"
_HEIGHT = 1 / 14  # of the picture's shorter side
_LEAST = 9  # pixels; below this the letters cannot be read
_OPACITY = 0.55


def sentence(run: str) -> str:
    """What made it, for people who read a file's description."""
    return f"Made by a trained model: lgan_jax {_VERSION}, run {run}"


def xmp(run: str) -> bytes:
    """The XMP packet, UTF-8: source type, program and version, and the run's name."""
    program = f"lgan_jax {_VERSION}"
    fields = {
        "xmp:CreatorTool": program,
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "Iptc4xmpExt:AISystemUsed": f"lgan_jax, run {run}",
        "Iptc4xmpExt:AISystemVersionUsed": _VERSION,
        "photoshop:Credit": sentence(run),
    }
    attributes = "".join(f"\n   {name}={quoteattr(value)}" for name, value in fields.items())
    packet = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk={quoteattr(program)}>
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
   xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
   xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"{attributes}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
    return packet.encode()


def png_bytes(image: UInt8[np.ndarray, "H W channels"], run: str) -> bytes:
    """The bytes of a PNG file of an RGB or RGBA image, with the packet."""
    information = PngInfo()
    information.add_itxt(_PNG_KEY, xmp(run).decode())
    information.add_itxt("Description", sentence(run))
    data = io.BytesIO()
    Image.fromarray(image).save(data, "png", pnginfo=information, compress_level=1)
    return data.getvalue()


def write_png(path: str | os.PathLike, image: UInt8[np.ndarray, "H W channels"], run: str) -> None:
    """Writes a PNG file with the packet, in a place that is not finished yet (see `files.Replacement`)."""
    Path(path).write_bytes(png_bytes(image, run))


def mark_mp4(path: Path, run: str) -> None:
    """Appends the packet to a finished MP4 or MOV file. Raises `OSError` where it cannot be written."""
    payload = XMP_BOX.bytes + xmp(run)
    with path.open("ab") as file:
        file.write((8 + len(payload)).to_bytes(4, "big") + b"uuid" + payload)


def mark(image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """A copy with a small visible mark, "AI", in its lower right corner.

    A picture too small for a mark that can be read, below 18 pixels, has none.
    """
    height, width = image.shape[:2]
    tall = max(round(_HEIGHT * min(height, width)), _LEAST)
    if min(height, width) < 2 * tall:
        return image.copy()
    wide = round(1.6 * tall)
    gap = tall // 4
    marked = image.copy()
    place = marked[height - gap - tall : height - gap, width - gap - wide : width - gap]
    place[...] = (1 - _OPACITY) * place + _OPACITY * 24
    letters = tall * 0.62
    scale = letters / cv2.getTextSize(_TEXT, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)[0][1]
    thickness = max(round(tall / 12), 1)
    (text_width, text_height), _ = cv2.getTextSize(_TEXT, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    at = ((wide - text_width) // 2, (tall + text_height) // 2)
    drawn = np.ascontiguousarray(place)
    cv2.putText(drawn, _TEXT, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (245, 245, 245), thickness, cv2.LINE_AA)
    place[...] = drawn
    return marked
