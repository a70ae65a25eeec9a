"""The configs of configs/, as they are and shrunk by overrides."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).parents[1]
PHASES = (  # of DFT-Net
    *("regressor", "flow", "pairs", "registered_pairs", "linear", "editor"),
    *("baseline", "baseline_pairs", "baseline_registered_pairs"),
)
SMALL = {
    "data.size": 32,
    "data.built_in.identities": 2,
    "data.built_in.train_per_identity": 4,
    "data.built_in.validation_per_identity": 2,
    "data.built_in.test_per_identity": 2,
    "eval_images": 2,
    "detector.steps": 2,
    "detector.batch_size": 4,
    "detector.width": 8,
    "detector.depth": 1,
    "converter.steps": 3,
    "converter.width": 16,
    "generator.steps": 2,
    "generator.width": 0.02,
    "generator.discriminator_width": 4,
    "joint.steps": 2,
    "joint.width": 0.02,
    "joint.discriminator_width": 4,
    "joint.converter_width": 16,
    **{
        f"{phase}.{field}": value
        for phase in PHASES
        for field, value in {
            "steps": 2,
            "batch_size": 4,
            "discriminator_updates": 1,
            "width": 3,
            "blocks": 1,
            "discriminator_width": 2,
        }.items()
    },
    "synthesizer.steps": 2,
    "synthesizer.batch_size": 4,
    "synthesizer.width": 2,
    "synthesizer.units": 1,
    "synthesizer.discriminator_width": 2,
    "autoencoder.steps": 2,
    "autoencoder.batch_size": 4,
    "autoencoder.width": 2,
    "began.steps": 2,
    "began.batch_size": 4,
    "began.width": 2,
    "inverse.batch_size": 3,
    "inverse.search.steps": 2,
    "inverse.search.slots": 3,
    "inverse.search.every": 1,
    "landmark_generator.steps": 3,
    "landmark_generator.batch_size": 4,
    "stylegan2.steps": 2,
    "stylegan2.batch_size": 4,
    "stylegan2.channel_base": 64,
    "stylegan2.channel_max": 3,
    "stylegan2.z_dim": 5,
    "stylegan2.w_dim": 6,
    "stylegan2.mapping_layers": 1,
    "evaluation.frames": 1,
    "evaluation.interpolations": 1,
    "evaluation.classifier.steps": 2,
    "evaluation.classifier.batch_size": 4,
    "evaluation.classifier.width": 4,
}


def config_of(name):
    """The config `FILE:VARIANTS` of configs/."""
    name, _, variants = name.partition(":")
    spec = importlib.util.spec_from_file_location("config", ROOT / "configs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(*[variants] if variants else [])


def small_config(name, **changes):
    """The config `name`, with the overrides of `SMALL` that it has fields for."""
    config = config_of(name)
    fields = {k: v for k, v in SMALL.items() if _has(config, k)}
    if config.data.built_in.test_identities:
        fields["data.built_in.test_identities"] = 2
    config.unlock()
    for field, value in (fields | changes).items():
        *path, last = field.split(".")
        section = config
        for part in path:
            section = section[part]
        section[last] = value
    return config.to_dict()


def _has(config, field):
    section, _, rest = field.partition(".")
    return section in config and (not rest or _has(config[section], rest))
