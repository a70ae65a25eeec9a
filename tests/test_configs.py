"""Every config: at its own size without compiling it, and the different ones shrunk, trained and evaluated."""

import ast
import dataclasses
import functools
import json
import typing

import abstract
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recorded import fields_of, recording
from small_configs import ROOT, config_of, small_config

from lgan_jax import config as configs
from lgan_jax import data, experiment, inversion, landmarks
from lgan_jax.core import FaceInfo, Finished, blank_batch
from lgan_jax.data.split import SPLITS
from lgan_jax.methods import METHODS
from lgan_jax.methods.began.inverse import InversePhase
from lgan_jax.methods.expression.phases import SynthesizerPhase
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.joint import JointPhase
from lgan_jax.training import loop

VARIANTS = {
    "celebv": ["", "gpu", "gpu,joint", "cpu", "quick", "joint", "cpu,joint", "quick,joint"],
    "wflw": ["", "gpu", "quick"],
    "emotionet": ["", "gpu", "cpu", "cpu,unpaired", "quick", "baseline", "quick,baseline"],
    "ck_plus": ["", "gpu", "cpu", "quick", "without_initialise", "quick,without_labels"],
    "oulu_casia": ["", "gpu", "quick"],
    "photos": ["", "cpu", "linear", "cpu,baseline"],
    "celeba": ["", "gpu", "cpu", "quick"],
    "ffhq": ["", "gpu", "cpu", "quick", "ada", "cpu,ada"],
}


def test_every_config_can_be_read():
    assert set(VARIANTS) == {path.stem for path in (ROOT / "configs").glob("*.py")}
    for name, variants in VARIANTS.items():
        for variant in variants:
            assert experiment.Experiment.read(config_of(f"{name}:{variant}").to_dict()).phases


def test_gradients_are_clipped_where_rates_are_high_but_not_in_the_schedule_of_the_paper():
    small = [f"{size},paper_generator{joint}" for size in ("cpu", "quick") for joint in ("", ",joint")]
    for limit, variants in ((0, ["", "joint"]), (10, small)):
        for each in variants:
            config = config_of(f"celebv:{each}")
            phase = config[config.phases[-1]]
            assert phase.optimizer.clip == phase.discriminator_optimizer.clip == limit


def test_larger_batches_see_as_many_images_at_rates_that_grow_with_the_root():
    """Of celebv's generator: 16 times the batch, a sixteenth of the steps, four times the rates."""
    before, after = config_of("celebv").generator, config_of("celebv:gpu").generator
    assert (after.batch_size, after.steps) == (16, 25_000)
    assert after.ema_decay == pytest.approx(0.999**16)
    for optimizer in (after.optimizer, after.discriminator_optimizer):
        assert optimizer.learning_rate == pytest.approx(2.4e-4)
        assert optimizer.schedule.final_learning_rate == pytest.approx(4e-5)
        assert optimizer.schedule.every == 156
        assert optimizer.decay == before.optimizer.decay
    assert after.weights == before.weights
    assert config_of("ffhq:gpu").stylegan2 == config_of("ffhq").stylegan2


def test_short_trainings_end_at_no_rate():
    """Those of a cosine, but for BEGAN's, whose config says so."""
    ends = {}
    for name, variants in VARIANTS.items():
        for variant in variants:
            config = config_of(f"{name}:{variant}").to_dict()
            for phase in config["phases"]:
                for field, section in config[phase].items():
                    if "optimizer" in field and section["schedule"]["name"] == "cosine":
                        ends[name, phase, field] = ends.get((name, phase, field), set()) | {
                            section["schedule"]["final_learning_rate"]
                        }
                        assert section["weight_decay"] <= 3e-6
    assert len(ends) >= 12
    assert {place: end for place, end in ends.items() if end != {0.0}} == {("celeba", "began", "optimizer"): {3e-5}}


def test_a_learning_rate_without_a_step_to_fall_in_is_refused_with_its_place():
    said = r"config\.detector\.optimizer: constant_fraction is 0\.9: of 1 steps none is left to fall"
    with pytest.raises(ValueError, match=said):
        experiment.Experiment.read(small_config("wflw:quick", **{"detector.optimizer.schedule.constant_fraction": 0.9}))


# The figures of one network are those of another config's; of each class of settings one at least is here.
TRACED = [
    *(
        "celebv",
        "wflw",
        "emotionet:baseline",
        "emotionet:cpu,unpaired",
        "emotionet:quick",
        "photos:cpu",
        "photos:linear",
        "ck_plus",
    ),
    "celeba:quick",
]
SHRUNK = ["celebv:quick", "celebv:joint", "ffhq", "ffhq:ada"]  # for these the size of their networks costs too long
READS = set()  # (class, field) of the settings that the steps traced so far have read


@functools.cache
def traced(name):
    """Shapes of the metrics of a step of each phase, on the phases before, and of what is watched."""
    config = small_config(name, **{"evaluation.frames": 2}) if name in SHRUNK else config_of(name).to_dict()
    for section in map(config.get, config["phases"]):
        if (updates := section.get("discriminator_updates", 1)) > 2:
            section.update(discriminator_updates=2, batch_size=section["batch_size"] // updates * 2)
    read = experiment.Experiment.read(config)
    sizes = {phase: settings.batch_size for phase, settings in read.phases.items()}
    phases = {phase: recording(settings, READS) for phase, settings in read.phases.items()}
    read = dataclasses.replace(read, phases=phases)
    settings = read.settings.data
    people = tuple(f"person {i}" for i in range(min(settings.built_in.identities, 2)))
    info = FaceInfo(landmarks.scheme(settings.scheme), settings.size, people, settings.built_in.count("train"))

    def steps():
        earlier, metrics = {}, {}
        for phase in read.settings.phases:
            method, key = read.build(phase, info, earlier), jax.random.key(0)
            blank = blank_batch(METHODS[read.settings.method].phases[phase], info)
            batch = {k: jnp.repeat(jnp.asarray(x), sizes[phase], 0) for k, x in blank.items()}
            state = method.init(key, batch)
            earlier[phase] = Finished(method, state)
            method.eval_step(state, batch)
            if method.host_step:
                continue
            after, metrics[phase] = method.train_step(state, batch, key, method.step_variant(0))
            assert jax.tree.map(lambda x: x.shape, state) == jax.tree.map(lambda x: x.shape, after)
        return metrics

    return read.settings.phases, abstract.on_one_device(steps)


@pytest.mark.parametrize("name", [*TRACED, *SHRUNK])
def test_a_config_takes_a_step_at_its_own_size(name):
    """Abstractly: a step of each phase that is compiled keeps the shapes of its state, and gives numbers.

    What a step has once more for each person, or each update of a discriminator, it has twice. (The detector of ffhq is
    celebv's.)
    """
    phases, metrics = traced(name)
    assert set(metrics) == set(phases) - {"inverse"}
    assert all(x.shape == () for x in jax.tree.leaves(metrics))


def test_every_field_of_a_phase_is_read_by_its_step():
    """Or by what builds it, or watches it: a field that nothing reads would say what is not so.

    Each must be read by one config at least: an optimizer's `decay` is RMSProp's alone.
    """
    for name in [*TRACED, *SHRUNK]:
        traced(name)
    kinds = {phase.Settings for method in METHODS.values() for phase in method.phases.values()}
    by_the_run = {(kind, name) for kind in kinds for name in ("steps", "batch_size")}  # see `Experiment`
    by_the_search = {(inversion.Settings, field.name) for field in dataclasses.fields(inversion.Settings)}
    by_the_config = {(kind, name) for kind, name in fields_of(*kinds) if name == "name"}  # of an optimizer, a schedule
    elsewhere = {(SynthesizerPhase.Settings, "vgg19")}  # a file: `Experiment.pretrained`
    elsewhere |= {(type(SynthesizerPhase.Settings().weights), "perceptual")}  # of the loss that needs that file
    elsewhere |= {(InversePhase.Settings, "search")}  # by the step on the host, which is not traced
    elsewhere |= {
        (kind, "constraint") for kind in (LandmarksPhase.Settings, JointPhase.Settings)
    }  # when landmarks are converted
    elsewhere |= {(LandmarksPhase.Settings, "form")}  # by `variant`
    elsewhere |= {
        (JointPhase.Settings, name) for name in ("form", "references", "detector_share")
    }  # of the other phase
    unread = fields_of(*kinds) - READS - by_the_run - by_the_search - by_the_config - elsewhere
    assert not sorted(f"{kind.__module__}.{kind.__qualname__}.{name}" for kind, name in unread)


BROKEN = {
    "width": 0,
    "batch_size": 0,
    "steps": -1,
    "ema_decay": 1.5,
    "discriminator_width": -1,
    "sigma": 0.0,
    "mbstd_group_size": 0,
}


@pytest.mark.parametrize("field", BROKEN)
def test_a_number_that_no_phase_can_use_is_refused_with_its_place(field):
    """By every phase that has the field, when a config is read."""
    kinds = {phase.Settings for method in METHODS.values() for phase in method.phases.values()}
    types = (type(BROKEN[field]), float)
    having = [kind for kind in kinds if typing.get_type_hints(kind).get(field) in types]
    assert having
    for kind in having:
        with pytest.raises(ValueError, match=rf"^config\.it: {field} is {BROKEN[field]}(\.0)?; it must be "):
            configs.read(kind, {field: BROKEN[field]}, "config.it")


def test_every_field_of_a_search_is_read():
    reads = set()
    settings = recording(inversion.Settings(steps=2, slots=2, every=1), reads)
    search = inversion.Inverter(lambda shared, x, target, moment: ((x - target) ** 2, {}), settings)
    search(None, np.zeros(3, np.float32), np.ones(3, np.float32))
    assert {name for kind, name in reads if kind is inversion.Settings} == {
        field.name for field in dataclasses.fields(inversion.Settings)
    }


def test_every_other_field_of_a_config_is_named_where_it_is_used():
    """Those of the data, of the loop, of evaluations and of the whole, whose use needs files or a run.

    An attribute of that name is read, or the name is in a list of names, outside of the class itself.
    """
    kinds = [experiment.settings.Settings, data.Settings, loop.Settings]
    kinds += [method.evaluation.Settings for method in METHODS.values()]
    for kind, name in sorted(fields_of(*kinds), key=str):
        assert name in names_used(), f"{kind.__module__}.{kind.__qualname__}.{name} is read nowhere"


@functools.cache
def names_used():
    """Attributes that the package reads."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "lgan_jax").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    calls = [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr"]
    found |= {each.args[1].value for each in calls if isinstance(each.args[1], ast.Constant)}
    return found | {f"{split}_per_identity" for split in SPLITS}  # `synthetic.Settings.count`


# Elsewhere: celebv:quick and :quick,joint in test_experiment.py; and in apps/ emotionet:quick,baseline in
# test_express_run.py, ck_plus:quick in test_express_labelled_run.py, celeba:quick in test_synthesize_run.py, ffhq:quick
# in test_project_run.py.
TRAINED = {
    "wflw:quick": {},
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_config_trains_and_is_evaluated(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LGAN_JAX_CACHE", str(tmp_path / "cache"))
    assert experiment.train(small_config(name, **TRAINED[name]), tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "report" / "metrics.json").read_text())["tables"]
