"""A run that takes a second: two phases of a tiny method, used by the tests and, as a program, by their subprocesses.

python tiny_run.py WORKDIR RESULT.npz '{"steps": 6, …}'
"""

import time

import flax.linen as nn
import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax

from lgan_jax.core import FaceInfo, example_keys
from lgan_jax.landmarks import IBUG68
from lgan_jax.training import loop
from lgan_jax.training.phase import Phase, PhaseRun
from lgan_jax.training.train_state import TrainState

EXAMPLES, BATCH, SIZE = 40, 8, 3
FACES = FaceInfo(IBUG68, SIZE, ("ada", "ben"))


class Tiny(Phase):
    """Reconstructs images from noisy ones; draws its noise example by example from the step's key."""

    def __init__(self, target=None, width=8, nan_at=-1):
        super().__init__(None, FACES, None, {})
        self.target, self.nan_at = target, nan_at
        self.net = nn.Sequential([nn.Dense(width), nn.tanh, nn.Dense(SIZE * SIZE * 3)])
        self.optimizers = {"net": optax.adam(1e-2)}

    def init(self, key, batch):
        frozen = {} if self.target is None else {"target": self.target}
        params = {"net": self.net.init(key, self._flat(batch))["params"]}
        return TrainState.create(params, self.optimizers, ("net",), frozen=frozen)

    def _flat(self, batch):
        return batch["image"].reshape(batch["image"].shape[0], -1)

    def _loss(self, state, params, inputs, outputs):
        made = self.net.apply({"params": params["net"]}, inputs)
        if "target" in state.frozen:
            outputs = outputs - self.net.apply({"params": state.frozen["target"]}, inputs)
        return jnp.mean((made - outputs) ** 2)

    def train_step(self, state, batch, key, variant=None):
        x = self._flat(batch)
        noise = jax.vmap(lambda k: jax.random.normal(k, x.shape[1:]))(example_keys(key, x.shape[0]))

        def loss(params):
            error = self._loss(state, params, x + 0.1 * noise, x)
            return error, ({"loss": error}, None)

        after, metrics, _ = state.descend(self.optimizers, loss, "net")
        after = after.finished_step(0.9)
        loss = jnp.where(after.step == self.nan_at, jnp.nan, metrics["loss"])
        return after, {"loss": loss, "brightness": jnp.float32(0.5)}

    def eval_step(self, state, batch):
        return {"error": self._loss(state, state.ema, self._flat(batch), self._flat(batch))}

    def sample_images(self, state, batch):
        made = self.net.apply({"params": state.ema["net"]}, self._flat(batch)).reshape(batch["image"].shape)
        return {"beside": jnp.stack([batch["image"], made], 1)}


class _Pictures:
    def __len__(self):
        return EXAMPLES

    def __getitem__(self, i):
        return {"image": np.random.default_rng(i).uniform(-1, 1, (SIZE, SIZE, 3)).astype(np.float32)}


def held_out(first, count):
    return {"image": np.stack([_Pictures()[EXAMPLES + first + i]["image"] for i in range(count)])}


def batches(seed, share, pause=0.0):
    """This process's share of every batch: `share` is (index, count)."""
    index, count = share
    part = slice(index * BATCH // count, (index + 1) * BATCH // count)

    def mine(batch):
        time.sleep(pause)
        return {name: value[part] for name, value in batch.items()}

    data = grain.MapDataset.source(_Pictures()).shuffle(seed).repeat().batch(BATCH).map(mine)
    return iter(data.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)))


def phases(steps=6, width=8, nan_at=-1, pause=0.0):
    share = (jax.process_index(), jax.process_count())
    common = {
        "steps": steps,
        "batch_size": BATCH,
        "example": held_out(0, 5),
        "eval_batches": [held_out(0, 5), held_out(5, 5)],
        "sample_batch": held_out(10, 2),
    }
    return [
        PhaseRun(
            name="first",
            build=lambda earlier: Tiny(width=width),
            batches=lambda: batches(7, share, pause),
            **common,
        ),
        PhaseRun(
            name="second",
            build=lambda earlier: Tiny(earlier["first"].state.params["net"], width, nan_at),
            batches=lambda: batches(8, share, pause),
            **common,
        ),
    ]


SETTINGS = loop.Settings(seed=3, log_every=1, eval_every=4, images_every=3, checkpoint_every=2, keep=2)


def run(workdir, settings=SETTINGS, record=None, **options):
    return loop.run(phases(**options), workdir, settings, {"config": options} if record is None else record)


def leaves(finished):
    """Every array of every phase's state, by path."""
    states = {name: value.state for name, value in finished.items()}
    return {jax.tree_util.keystr(p): np.asarray(x) for p, x in jax.tree_util.tree_flatten_with_path(states)[0]}
