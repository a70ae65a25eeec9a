"""Photos, videos and sound: reading files by their contents, writing images and videos, pasting, provenance."""
