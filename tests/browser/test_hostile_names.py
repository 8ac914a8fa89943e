"""Names that try to be markup or script are shown as text, and nothing in them runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from visiting import Visitor

from report_studies import make
from steinhaus.report import compare, notebook, page, words

pytestmark = pytest.mark.browser

HOSTILE = [
    "</script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "\"' onmouseover='window.ran = 1' x=\"",
    "{{ 7 * 191 }}{% raw %}",
    "javascript:window.ran=1",
    "a\u2028window.ran = 1\u2029",
    "\u202egpj.exe",
    "nul\x00byte",
    b"caf\xe9\xff.png".decode("utf-8", "surrogateescape"),
    "long " * 2048,
    "<!--<script>",
    "]]></style><svg onload='window.ran = 1'>",
]


@pytest.fixture(scope="module")
def everywhere() -> str:
    """A page with hostile names in every place that takes one."""
    rng = np.random.default_rng(5)
    files = tuple(f"{HOSTILE[i % 12]}/{i}" for i in range(240))
    data = make(
        rng.integers(0, 256, (240, 6, 6), dtype=np.uint8), np.arange(240) % 12, tuple(HOSTILE), ks=(6, 12), files=files
    )
    labelled = replace(data.record.data, name=HOSTILE[0], source=HOSTILE[1], licence=HOSTILE[2])
    record = replace(data.record, data=labelled, versions={"numpy": HOSTILE[3]}, machine={"system": HOSTILE[11]})
    data = replace(data, record=record)
    compare([data, data])
    notebook(data)
    return page.render(data)


def test_nothing_runs(visitor: Visitor, everywhere: str) -> None:
    visit = visitor.open(everywhere)
    view = visit.view
    assert view.locator("h1").inner_text() == words.clean(HOSTILE[0])
    for k in (6, 12):
        view.locator("#chooser label", has=view.locator(f'input[value="{k}"]')).click()
        for cluster in range(k):
            view.locator(f'.k-view.shown .card[data-cluster="{cluster}"] .open').click()
            if view.locator("#tiles button").count():
                view.locator("#tiles button").first.click()
                view.click("#image-close")
            view.click("#cluster-close")
    assert view.evaluate("window.ran") is None
    assert view.locator("script").count() == 2
    assert "1337" not in view.locator("body").inner_text()


def test_every_name_is_shown(visitor: Visitor, everywhere: str) -> None:
    view = visitor.open(everywhere).view
    shown = view.locator('.k-view[data-k="12"] .train .confusion thead th').all_text_contents()[1:]
    assert shown == [words.clean(name) for name in HOSTILE]
    assert not set("\x00\u202e\u2028\udcff") & set("".join(shown))
    assert max(len(text) for text in shown) < 200


def test_scripts_off(visitor: Visitor, everywhere: str) -> None:
    view = visitor.open(everywhere, scripts=False).view
    assert view.locator("h1").inner_text() == words.clean(HOSTILE[0])
