"""Undoing the pose of a face in its landmarks: where they would lie if the head looked straight ahead.

A head is `(68, 3)`: iBUG's points with x to the image's right, y down, z towards the viewer; one unit is the distance
between the outer eye corners of the mean face. Functions take NumPy and JAX arrays alike; leading axes are batches.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lgan_jax.landmarks import IBUG68

# The mean of the built-in faces' heads, at rest.
# fmt: off
MEAN_HEAD = np.array(
    [
        # outline
        (-0.758, -0.041, 0.091), (-0.751, 0.159, 0.126), (-0.729, 0.363, 0.184), (-0.697, 0.582, 0.256),
        (-0.624, 0.795, 0.329), (-0.507, 0.979, 0.395), (-0.351, 1.110, 0.463), (-0.175, 1.189, 0.563),
        (0.000, 1.222, 0.592), (0.175, 1.189, 0.563), (0.351, 1.110, 0.463), (0.507, 0.979, 0.395),
        (0.624, 0.795, 0.329), (0.697, 0.582, 0.256), (0.729, 0.363, 0.184), (0.751, 0.159, 0.126),
        (0.758, -0.041, 0.091),
        # right brow
        (-0.666, -0.136, 0.416), (-0.566, -0.226, 0.594), (-0.421, -0.257, 0.749), (-0.271, -0.241, 0.836),
        (-0.135, -0.191, 0.865),
        # left brow
        (0.135, -0.191, 0.865), (0.271, -0.241, 0.836), (0.421, -0.257, 0.749), (0.566, -0.226, 0.594),
        (0.666, -0.136, 0.416),
        # nose bridge
        (0.000, -0.010, 0.918), (0.000, 0.145, 0.970), (0.000, 0.295, 1.025), (0.000, 0.455, 1.072),
        # lower nose
        (-0.167, 0.536, 0.939), (-0.088, 0.572, 1.006), (0.000, 0.595, 0.989), (0.088, 0.572, 1.006),
        (0.167, 0.536, 0.939),
        # right eye
        (-0.499, -0.015, 0.651), (-0.430, -0.063, 0.704), (-0.281, -0.053, 0.767), (-0.212, 0.006, 0.769),
        (-0.281, 0.033, 0.779), (-0.430, 0.028, 0.713),
        # left eye
        (0.212, 0.006, 0.769), (0.281, -0.053, 0.767), (0.430, -0.063, 0.704), (0.499, -0.015, 0.651),
        (0.430, 0.028, 0.713), (0.281, 0.033, 0.779),
        # outer lip
        (-0.304, 0.776, 0.852), (-0.183, 0.748, 0.912), (-0.080, 0.724, 0.943), (0.000, 0.739, 0.950),
        (0.080, 0.724, 0.943), (0.183, 0.748, 0.912), (0.304, 0.776, 0.852), (0.183, 0.855, 0.909),
        (0.080, 0.897, 0.936), (0.000, 0.906, 0.940), (-0.080, 0.897, 0.936), (-0.183, 0.855, 0.909),
        # inner lip
        (-0.267, 0.778, 0.873), (-0.080, 0.800, 0.944), (0.000, 0.803, 0.951), (0.080, 0.800, 0.944),
        (0.267, 0.778, 0.873), (0.080, 0.800, 0.944), (0.000, 0.803, 0.951), (-0.080, 0.800, 0.944),
    ],
    np.float32,
)
# fmt: on

# Points that keep their place on the head whatever the face does: the nose and the corners of the eyes.
RIGID = np.array([*IBUG68.groups["nose_bridge"], *IBUG68.groups["lower_nose"], 36, 39, 42, 45])
# Those of them that not even a broad smile moves, which widens the nose.
STABLE = np.array([*IBUG68.groups["nose_bridge"], 36, 39, 42, 45])


def frontal(
    landmarks: Float[object, "*batch 68 2"], head: Float[object, "*#batch 68 3"]
) -> Float[object, "*batch 68 2"]:
    """The landmarks as they would lie on `head`, seen from the front, in its units.

    An affine camera, p = Mx + t with M `(2, 3)`, is fitted to the points of the nose and the eye corners in least
    squares. Then every point is taken back to the front as if it lay as deep as in `head`. So turning, nodding,
    tilting, size and place go, and what the face does stays. On the built-in faces at rest, up to yaw ±35° and pitch
    ±20°, points inside the outline then lie 0.004 off on the average; those of the outline are of little use, since
    every pose shows another line of the head.
    Where the rigid points are not finite, nothing of that face is.
    """
    xp = landmarks.__array_namespace__()
    head = head.reshape(*[1] * (landmarks.ndim - head.ndim), *head.shape)
    rigid = head[..., RIGID, :]
    corners = xp.concatenate([rigid, xp.ones_like(rigid[..., :1])], -1)
    camera = xp.linalg.pinv(corners) @ landmarks[..., RIGID, :]  # (4, 2): the rows of M's transpose, then t
    a, b, deep, shift = (camera[..., i : i + 1, :] for i in range(4))
    flat = landmarks - deep * head[..., 2:] - shift
    determinant = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    x = flat[..., 0] * b[..., 1] - flat[..., 1] * b[..., 0]
    y = flat[..., 1] * a[..., 0] - flat[..., 0] * a[..., 1]
    return xp.stack([x, y], -1) / determinant[..., None]
