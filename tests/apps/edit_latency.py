"""How long the hand waits: `python tests/apps/edit_latency.py` prints the round trip, drag to image, in the browser.

A LandmarkGAN with random weights, 256×256, at full width, is served; headless Chromium drags a landmark. The network's
time is that of its forward pass alone: the least busy way to call it, without server and browser.
"""

import statistics
import time

import small_editor

from lgan_jax.apps.edit import shapes
from lgan_jax.apps.edit.protocol import Look

ROUNDS = 30


def forward_alone(studio):
    """Milliseconds of converter and generator, one image."""
    points = shapes.resting(studio.known)
    studio.make(points, Look((0,)))
    spent = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        studio.model.synthesize(points, 0)
        spent.append(1000 * (time.perf_counter() - start))
    return spent


def round_trips(page, point):
    """(round trip, network) of each of some drags, in milliseconds, as the page measured them."""
    timing = page.locator("#timing")
    pairs = []
    for _ in small_editor.drag(page, point, (60, 0), ROUNDS):
        before = timing.get_attribute("data-id")
        page.wait_for_selector(f'#timing:not([data-id="{before}"])')
        pairs.append((float(timing.get_attribute("data-round-trip")), float(timing.get_attribute("data-network"))))
    return pairs


def main():
    """Prints the figures."""
    studio = small_editor.studio(small_editor.model(256, 1, 1.0, 512), small_editor.known(people=1))
    alone = statistics.median(forward_alone(studio))
    nose = shapes.resting(studio.known)[57]
    with small_editor.served(studio) as address, small_editor.browser() as browser:
        page = small_editor.opened(browser.new_page(viewport={"width": 1280, "height": 800}), address)
        trips, networks = zip(*round_trips(page, nose))
    trip, network = statistics.median(trips), statistics.median(networks)
    print(f"network alone {alone:.1f} ms; while the page is open {network:.1f} ms; drag to image {trip:.1f} ms")
    print(f"round trip / network alone: {trip / alone:.2f}; / network as served: {trip / network:.2f}")


if __name__ == "__main__":
    main()
