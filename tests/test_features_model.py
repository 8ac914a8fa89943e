"""Features by ONNX networks: small real ones that run, and files that a rule refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steinhaus import Features, Study, open_images
from steinhaus.cli import main
from steinhaus.errors import DataError, PlanError
from steinhaus.features import running
from steinhaus.features.making import with_features
from steinhaus.features.model_input import ModelInput, entered, parsed
from steinhaus.images import Images
from steinhaus.study import events, load

pytest.importorskip("onnx", reason="needs the extra `models`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `models`")
from onnx_networks import TensorProto, helper, image, small, with_external_data, write  # noqa: E402

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
IMAGES = Images.from_arrays(PIXELS)


def by_hand(path: Path, pixels: np.ndarray, output: str = "vectors") -> np.ndarray:
    """The network run by onnxruntime on pictures in 0..1, all at once."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run([output], {"image": pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)})[0]


def test_a_network_sees_every_picture(tmp_path: Path) -> None:
    heard: list[tuple[int, int | None]] = []
    images = with_features(
        IMAGES, small(tmp_path / "net.onnx"), progress=lambda what, done, total, unit: heard.append((done, total))
    )
    assert images.features.values.shape == (70, 16)
    assert np.allclose(images.features.values, by_hand(tmp_path / "net.onnx", PIXELS), rtol=1e-4, atol=1e-5)
    assert heard[-1] == (70, 70)
    assert any("does not say how its input is scaled" in note for note in images.notes)
    assert images.features.options["output"] == "vectors"


def test_a_network_says_itself_how_pictures_enter(tmp_path: Path) -> None:
    path = small(tmp_path / "net.onnx", metadata={"steinhaus.input": "-1..1"})
    images = with_features(IMAGES, path)
    assert not images.notes
    bare = small(tmp_path / "bare.onnx")
    given = with_features(IMAGES, Features(bare, model_input="mean=0.5 std=0.5"))
    assert np.array_equal(images.features.values, given.features.values)
    assert images.features.options["input"] == "32x32 mean=0.5 std=0.5"


def test_pictures_are_brought_to_the_networks_size_and_mode(tmp_path: Path) -> None:
    grey = Images.from_arrays(PIXELS[:5, :24, :, 0])
    images = with_features(grey, small(tmp_path / "net.onnx", shape=(1, 3, 32, 32)))
    assert images.features.values.shape == (5, 16)
    assert any("32 x 24 are stretched to the network's 32 x 32" in note for note in images.notes)
    one = with_features(IMAGES, small(tmp_path / "grey.onnx", shape=("n", 1, "h", "w")))
    assert one.features.values.shape == (70, 16)
    assert any("takes pictures of any size" in note for note in one.notes)


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    any_batch = with_features(IMAGES, small(tmp_path / "net.onnx"))
    of_four = with_features(IMAGES, small(tmp_path / "four.onnx", shape=(4, 3, 32, 32)))
    assert np.allclose(any_batch.features.values, of_four.features.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("asked", "token"), [("tokens[0]", 0), ("tokens[3]", 3), ("tokens[mean]", None)])
def test_an_output_of_tokens(tmp_path: Path, asked: str, token: int | None) -> None:
    path = small(tmp_path / "net.onnx", outputs=("tokens", "vectors"))
    found = with_features(IMAGES, Features(path, model_output=asked)).features.values
    tokens = by_hand(path, PIXELS, "tokens")
    true = tokens.mean(axis=1) if token is None else tokens[:, token]
    assert np.allclose(found, true, rtol=1e-4, atol=1e-5)
    assert with_features(IMAGES, path).features.options["output"] == "vectors", "the only output that is a vector"


def test_features_are_kept_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small(tmp_path / "net.onnx")
    first = open_images(PIXELS, features=path, features_folder=tmp_path / "kept").features.values
    monkeypatch.setattr(running.Running, "__init__", lambda *_: pytest.fail("the network was loaded again"))
    again = open_images(PIXELS, features=path, features_folder=tmp_path / "kept").features.values
    assert np.array_equal(first, again)


def test_the_last_batch_does_not_depend_on_where_work_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Images.from_arrays(np.repeat(PIXELS, 9, axis=0))
    path = small(tmp_path / "net.onnx")
    whole = with_features(many, path, tmp_path / "whole").features.values
    true, calls = running.Running.vectors, []

    def stopped(self: Any, pictures: np.ndarray, full_scale: float, first: int) -> np.ndarray:
        calls.append(first)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return true(self, pictures, full_scale, first)

    monkeypatch.setattr(running.Running, "vectors", stopped)
    with pytest.raises(KeyboardInterrupt):
        with_features(many, path, tmp_path / "cut")
    assert np.array_equal(with_features(many, path, tmp_path / "cut").features.values, whole)
    assert calls == [0, 256, 256, 512]


def test_a_study_from_python_tells_how_far_features_are_and_what_was_assumed(tmp_path: Path) -> None:
    heard: list[tuple[int, int | None]] = []
    told: list[events.Event] = []
    study = Study(k=[2], restarts=1, features=small(tmp_path / "net.onnx"))
    result = study.run(IMAGES, watch=told.append, progress=lambda what, done, total, unit: heard.append((done, total)))
    assert heard == [(70, 70)]
    notes = [event.text for event in told if isinstance(event, events.Noted)]
    assert ["does not say how its input is scaled" in note for note in notes] == [True]
    assert [line["text"] for line in result.events() if line["event"] == "noted"] == notes


@pytest.mark.slow
@pytest.mark.usefixtures("_no_figures")
def test_a_study_that_is_killed_while_the_network_runs_goes_on_at_the_last_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.repeat(PIXELS, 12, axis=0))
    small(Path("net.onnx"))
    words = ["study", "x.npy", "--k", "3", "--restarts", "1", "--features", "net.onnx", "--quiet", "--out"]
    code = """
import os, signal, sys
from steinhaus.cli import main
from steinhaus.features.running import Running
def batch(self, pictures, full_scale, first, true=Running._batch):
    if first == 544:
        os.kill(os.getpid(), signal.SIGKILL)  # in the middle of the third block
    return true(self, pictures, full_scale, first)
Running._batch = batch
main(sys.argv[1:])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    killed = subprocess.run([sys.executable, "-c", code, *words, "cut/s"], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not Path("cut/s").exists()
    assert [path.suffix for path in Path("cut/features").iterdir() if path.suffix == ".npy"] == []
    true, calls = running.Running.vectors, []

    def counted(self: Any, pictures: np.ndarray, full_scale: float, first: int) -> np.ndarray:
        calls.append(first)
        return true(self, pictures, full_scale, first)

    monkeypatch.setattr(running.Running, "vectors", counted)
    assert main([*words, "cut/s"]) == 0
    assert calls == [512, 768]
    assert main([*words, "whole/s"]) == 0
    assert load("cut/s").record.digest == load("whole/s").record.digest
    assert len(calls) == 2 + 4


def identity(shape: tuple[int | str, ...], kind: int = TensorProto.FLOAT) -> Callable[[Path], Path]:
    """A network that takes such an input."""
    return lambda path: write(
        path, [helper.make_node("Identity", ["image"], ["v"])], [image(shape, kind)], [image(shape, kind, name="v")]
    )


def custom(path: Path) -> Path:
    node = helper.make_node("Mine", ["image"], ["v"], domain="my.ops")
    return write(path, [node], [image(("n", 3, 8, 8))], [image(("n", 3), name="v")], opsets=(("", 17), ("my.ops", 1)))


def hidden_custom(path: Path) -> Path:
    """The custom operator stands in a branch of a node."""
    inner = helper.make_graph(
        [helper.make_node("Mine", ["image"], ["w"], domain="my.ops")], "inner", [], [image(("n", 3), name="w")]
    )
    node = helper.make_node("If", ["yes"], ["v"], then_branch=inner, else_branch=inner)
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    out = image(("n", 3), name="v")
    return write(path, [node], [image(("n", 3, 8, 8))], [out], [yes], opsets=(("", 17), ("my.ops", 1)))


def two_inputs(path: Path) -> Path:
    inputs = [image(("n", 3, 8, 8)), image(("n", 3, 8, 8), name="text")]
    return write(path, [helper.make_node("Add", ["image", "text"], ["v"])], inputs, [image(("n", 3), name="v")])


def cut(path: Path) -> Path:
    data = small(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def text(path: Path) -> Path:
    path.write_bytes(b"no network at all")
    return path


def nan(path: Path) -> Path:
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("Sub", ["m", "m"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["v"]),
    ]
    return write(path, nodes, [image(("n", 3, 32, 32))], [image(("n", 3), name="v")])


BROKEN = {
    "no file": (lambda path: path, "cannot be read"),
    "text": (text, "is not an ONNX network, or is damaged"),
    "cut in half": (cut, "is not an ONNX network, or is damaged"),
    "custom operator": (custom, "operator Mine of 'my.ops'"),
    "hidden custom operator": (hidden_custom, "operator Mine of 'my.ops'"),
    "weights above": (lambda path: with_external_data(path, "../w.bin"), "outside of its own folder"),
    "weights elsewhere": (lambda path: with_external_data(path, "/etc/passwd"), "outside of its own folder"),
    "vectors in": (identity(("n", 5)), "has the shape any x 5"),
    "bytes in": (identity(("n", 3, 8, 8), TensorProto.UINT8), "the type UINT8"),
    "seven channels": (identity(("n", 7, 8, 8)), "pictures have 1 or 3 channels"),
    "two inputs": (two_inputs, "has 2 inputs, image, text"),
    "a map": (lambda path: small(path, outputs=("map",)), "is a map of 16 x 16"),
    "tokens": (lambda path: small(path, outputs=("tokens",)), "one of them, .*tokens"),
    "several outputs": (lambda path: small(path, outputs=("tokens", "map")), "has several outputs"),
    "NaN": (nan, "gives NaN or infinity for picture 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_network_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    make, words = BROKEN[name]
    path = make(tmp_path / "net.onnx")
    with pytest.raises(DataError, match=words):
        with_features(IMAGES, Features(path), tmp_path / "kept")
    assert not list(tmp_path.glob("kept/*"))


def test_weights_beside_a_network_are_read_and_a_link_out_of_its_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = with_external_data(tmp_path / "inner" / "net.onnx", "w.bin")
    values = with_features(IMAGES, path).features.values
    assert np.allclose(values, with_features(IMAGES, small(tmp_path / "whole.onnx")).features.values, rtol=1e-5)
    (tmp_path / "inner" / "w.bin").rename(tmp_path / "w.bin")
    (tmp_path / "inner" / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(DataError, match="outside of its own folder"):
        with_features(IMAGES, path)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"model_output": "nothing"}, "has no output 'nothing'"),
        ({"model_output": "vectors[0]"}, "has 2 axes"),
        ({"model_output": "vectors[x]"}, "has no output"),
        ({"model_input": "16x16"}, "takes only pictures of 32 x 32"),
    ],
)
def test_what_does_not_fit_the_network_is_refused(tmp_path: Path, asked: dict[str, str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        with_features(IMAGES, Features(small(tmp_path / "net.onnx"), **asked))


@pytest.mark.parametrize("text", ["224", "224x224 imagnet", "mean=a", "mean=1,2", "std=0", "0x5"])
def test_an_input_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="Write the size and the scale"):
        parsed(text)


def test_an_input_as_text_and_back() -> None:
    for told in ("64x32 imagenet", "clip", "10x10", "mean=0.1,0.2,0.3 std=2"):
        assert parsed(parsed(told).text) == parsed(told)
    both = parsed("64x32").over(parsed("clip"))
    assert (both.size, both.mean) == ((32, 64), parsed("clip").mean)


def test_floats_enter_as_eight_bits() -> None:
    floats = PIXELS[:3].astype(np.float32) / 255
    how = ModelInput((32, 32), (0.0,), (1.0,))
    assert np.array_equal(entered(floats, 1.0, 3, how), entered(PIXELS[:3], 255.0, 3, how))
    assert np.array_equal(entered(PIXELS[:3], 255.0, 3, how), PIXELS[:3].astype(np.float32) / np.float32(255))
