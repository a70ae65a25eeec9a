"""Tiny copies of data sets in their owners' layouts; images are noise with a white spot on the first landmark."""

import cv2
import numpy as np

from lgan_jax.action_units import NUMBERS


def face(size, points, seed):
    """An image `(size, size, 3)`, dark noise, and `(points, 2)` pixels in it; a white 3×3 spot is on the first one."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 40, (size, size, 3), np.uint8)
    xy = rng.uniform(0.2 * size, 0.8 * size, (points, 2))
    xy[0] = np.round(xy[0])
    column, row = xy[0].astype(int)
    image[row - 1 : row + 2, column - 1 : column + 2] = 255
    return image, xy


def spot(image):
    """Where the white spot is: (x, y) in [0, 1]."""
    weight = np.clip(image.astype(float).mean(-1) - 60, 0, None)
    rows, columns = np.indices(weight.shape)
    centre = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    return (centre + 0.5) / image.shape[0]


def line(xy, name, between=()):
    return " ".join([*(f"{v:.3f}" for v in xy.ravel()), *between, name])


def celebv(root, people, points=98, size=48, between=(), step=1):
    """Writes `people` (name → number of frames, numbered `step` apart) and returns the root."""
    for person, (name, count) in enumerate(people.items()):
        (root / name / "Image").mkdir(parents=True)
        lines = []
        for i in range(count):
            image, xy = face(size, points, 1000 * person + i)
            cv2.imwrite(str(root / name / "Image" / f"{name}_{step * i:06d}.jpg"), image)
            lines.append(line(xy, f"{name}_{step * i:06d}.jpg", between))
        (root / name / f"all_{points}pt.txt").write_text("\n".join(lines) + "\n")
    return root


def wflw(root, train=5, test=3, size=(90, 120)):
    """Writes a WFLW of one image a face and returns the root; faces are 40 pixels somewhere in the image."""
    (root / "WFLW_images" / "0--Parade").mkdir(parents=True)
    folder = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        lines = []
        for i in range(count):
            image = np.zeros((*size, 3), np.uint8)
            patch, xy = face(40, 98, len(split) * 100 + i)
            left, top = 10 * i, 5 * i
            image[top : top + 40, left : left + 40] = patch
            name = f"0--Parade/{split}_{i}.jpg"
            cv2.imwrite(str(root / "WFLW_images" / name), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
            flags = [str(int(i == k)) for k in range(6)]
            box = [str(v) for v in (left, top, left + 40, top + 40)]
            lines.append(line(xy + (left, top), name, [*box, *flags]))
        (folder / f"list_98pt_rect_attr_{split}.txt").write_text("\n".join(lines) + "\n")
    return root


def openface_header(kind, landmarks=False, comma=", "):
    """A table's first line, as OpenFace 2.0 writes it ("image", "sequence") or a user of GANimation ("merged")."""
    names = {
        "image": ["face", "confidence"],
        "sequence": ["frame", "face_id", "timestamp", "confidence", "success"],
        "merged": ["file_name", "confidence", "success"],
    }[kind]
    names += ["gaze_0_x", "pose_Tx"]
    names += [f"{axis}_{i}" for axis in "xy" for i in range(68)] if landmarks else []
    numbers = [f"AU{number:02d}" for number in NUMBERS]
    return comma.join([*names, *(f"{name}_r" for name in numbers), *(f"{name}_c" for name in numbers), "AU28_c"])


def openface_row(first, units, xy=None, comma=", "):
    """A row: `first` are the values of the columns before gaze, `units` 17 intensities from 0 to 5."""
    points = [] if xy is None else [f"{value:.1f}" for value in np.asarray(xy).T.ravel()]
    presence = [f"{float(value > 1):.2f}" for value in units]
    return comma.join([*map(str, first), "0.1", "-12.5", *points, *(f"{v:.2f}" for v in units), *presence, "0.00"])


def openface(root, count=30, size=48):
    """Images and a table beside each, with landmarks, and returns the root; unit i of image k is (k + i) % 6."""
    root.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        image, xy = face(size, 68, k)
        cv2.imwrite(str(root / f"N_{k:06d}.png"), image)
        row = openface_row([0, 0.98], units_of(k), xy)
        (root / f"N_{k:06d}.csv").write_text(f"{openface_header('image', True)}\n{row}\n")
    return root


def units_of(k):
    """17 intensities from 0 to 5."""
    return [(k + i) % 6 for i in range(len(NUMBERS))]
