"""What tests ask of an open explorer."""

import numpy as np


def show(browser, path, *, width=1280, height=720, mobile=False):
    """Open a page, wait until it is ready, and forget what earlier pages complained of."""
    browser.errors.clear()
    browser.requests.clear()
    browser.resize(width, height, mobile=mobile, scale=2 if mobile else 1)
    browser.open(path)
    browser.run("window.ready")
    browser.frame()


def at_pixel(page, x, y):
    """Place on the screen of a pixel of the image."""
    left, top, _, _ = page.box("#image")
    x0, y0, scale, ratio = page.run(
        "[explorer.stage.left, explorer.stage.top, explorer.stage.scale, explorer.stage.ratio]"
    )
    return left + (x0 + (x + 0.5) * scale) / ratio, top + (y0 + (y + 0.5) * scale) / ratio


def labels_of(page):
    """The labels (H, W) that the page shows."""
    height, width = page.run("explorer.info.shown")
    return np.array(page.run("Array.from(explorer.labels)")).reshape(height, width)


def text(page, selector):
    return page.run(f"document.querySelector({selector!r}).innerText")
