import jax
import numpy as np
import pytest
from small_editors import FACES, faces, small_editor
from small_methods import started

from lgan_jax.core import Finished
from lgan_jax.methods import METHODS
from lgan_jax.methods.dftnet.editor import BaselinePhase


@pytest.fixture(scope="module")
def finished():
    """An untrained editor and baseline whose action units matter."""
    batch = faces(2)
    methods = {"editor": small_editor(), "baseline": small_editor(BaselinePhase)}
    return {name: Finished(method, started(method, batch)) for name, method in methods.items()}


@pytest.fixture(scope="module")
def editor(finished):
    return METHODS["dftnet"].load(FACES, finished)


def test_edits_any_number_of_faces_as_the_phase_does(editor, finished):
    batch, (method, state) = faces(18), finished["editor"]
    edited = editor.edit(batch["image"], batch["action_units"])
    expected = jax.jit(method.edit)(state, batch["image"], batch["action_units"])
    for ours, theirs in zip(edited, expected, strict=True):
        assert isinstance(ours, np.ndarray)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert editor.edit(batch["image"][:0], batch["action_units"][:0]).attention.shape == (0, 64, 64, 1)


def test_estimates_stay_in_their_range(editor, finished):
    method, state = finished["editor"]
    image = faces(3)["image"]
    found = jax.jit(method.estimate)(state, image)
    np.testing.assert_allclose(editor.estimate(image), np.clip(found, 0, 1), atol=1e-5)


def test_the_baseline_comes_along_where_there_is_one(editor, finished):
    batch = faces(1)
    edited = editor.baseline.edit(batch["image"], batch["action_units"])
    np.testing.assert_array_equal(edited.aligned, batch["image"])
    assert editor.baseline.baseline is None
    assert METHODS["dftnet"].load(FACES, {"editor": finished["editor"]}).baseline is None
    with pytest.raises(ValueError, match="has not reached its editor, registered_pairs, pairs or linear phase"):
        METHODS["dftnet"].load(FACES, {"baseline": finished["baseline"]})


def test_what_cannot_be_edited_is_said(editor):
    image, units = faces(2).values()
    with pytest.raises(ValueError, match=r"images have the shape \(2, 32, 64, 3\); expected \(B, 64, 64, 3\)"):
        editor.edit(image[:, ::2], units)
    with pytest.raises(ValueError, match=r"action units have the shape \(1, 17\); expected \(2, 17\)"):
        editor.edit(image, units[:1])
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]; these are from 0\.\d+ to 4\.\d+"):
        editor.edit(image, 5 * units)
    with pytest.raises(ValueError, match=r"action units hold values that are not finite; they must be in \[0, 1\]"):
        editor.edit(image, np.nan * units)
    for method, more in ((editor.edit, [units]), (editor.estimate, [])):
        with pytest.raises(ValueError, match=r"images must be in \[-1, 1\]; these are from 1\.05 to 1\.05"):
            method(np.full_like(image, 1.05), *more)
        with pytest.raises(ValueError, match="images are uint8; expected floating-point numbers"):
            method(np.full(image.shape, 200, np.uint8), *more)
