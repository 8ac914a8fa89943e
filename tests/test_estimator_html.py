"""The view of an estimator in a notebook is safe, small, and true."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from steinhaus import KMeans
from steinhaus.estimators.html import png


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.images = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert not [name for name, _ in attributes if name.startswith("on")]
        self.images += [value for name, value in attributes if name == "src"]


def parsed(html):
    tags = Tags()
    tags.feed(html)
    return tags


def test_pngs_are_what_they_show(rng):
    for shape in ((8, 8), (9, 7), (1, 1)):
        image = rng.integers(0, 16, shape).astype(np.uint8)
        opened = Image.open(io.BytesIO(png(image)))
        assert np.asarray(opened.convert("L")).tolist() == (image * 17).tolist()


@pytest.mark.parametrize(("k", "side"), [(3, 8), (60, 28), (16, 32), (40, 100)])
def test_clusters_with_sizes_and_images_under_20_kb(k, side, rng):
    x = rng.random((300, side * side)).astype(np.float32)
    kmeans = KMeans(k, random_state=0, max_iter=2).fit(x)
    html = kmeans._repr_html_()
    assert len(html.encode()) < 20_000
    tags = parsed(html)
    assert len(tags.images) == min(k, 16)
    assert all(image.startswith("data:image/png;base64,") for image in tags.images)
    sizes = np.bincount(kmeans.labels_, minlength=k)
    assert f"<small>{sizes.max():,}</small>" in html
    first = Image.open(io.BytesIO(base64.b64decode(tags.images[0].split(",")[1])))
    assert max(first.size) <= 32


def test_tables_of_numbers_get_no_images(rng):
    kmeans = KMeans(2, random_state=0).fit(rng.random((30, 25)))
    assert not parsed(kmeans._repr_html_()).images


def test_one_of_a_thing():
    text = KMeans(1, random_state=0).fit([[1.0], [2.0]])._repr_html_()
    assert "1 cluster of 2 points, 1 feature<br>inertia 0.5 after " in text


def test_what_comes_from_a_user_is_escaped(rng):
    class Hostile(str):
        def __repr__(self):
            return "<script>alert(1)</script>" + "x" * 30_000

    kmeans = KMeans(2, random_state=0).fit(rng.random((30, 4)))
    kmeans.verbose = Hostile("0")
    html = kmeans._repr_html_()
    assert not re.search("<script", html)
    assert "&lt;script&gt;" in html
    assert len(html) < 20_000


def test_before_fit_it_is_scikit_learns():
    assert "KMeans" in KMeans()._repr_html_()
