"""The means of drawing against floating point."""

import math

from reslab.data import drawing


def test_sines():
    assert drawing.SINE.tolist() == [round(1024 * math.sin(math.tau * k / 64)) for k in range(64)]


def test_pixel_centres_lie_around_the_images():
    x, y = drawing.centred(4)
    assert x.flatten().tolist() == y.flatten().tolist() == [drawing.PIXEL * at for at in (-1.5, -0.5, 0.5, 1.5)]
