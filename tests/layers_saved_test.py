"""Each layer and model of `garden.layers` in files: `.keras` and SavedModel, read by a new process.

A process takes seconds to start, so one reads all that a fixture saved: first the SavedModels, with
nothing but TensorFlow; then the layers' `.keras` files after `import garden.layers` alone; then
those of the models, each imported first.
"""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from garden import layers
from garden.dagan import settings as dagan
from garden.physnet import patches
from garden.physnet import settings as physnet
from garden.transfer import settings as transfer
from garden.vda import billiards_settings as billiards
from garden.vda import settings as vda
from garden.worlds.billiards import scene as tables
from garden.worlds.towers import scene as towers

_READ = """
import pathlib, sys
import numpy as np, tensorflow as tf
folder = pathlib.Path(sys.argv[1])

def flat(file):
  with np.load(file, allow_pickle=False) as arrays:
    return [arrays[name] for name in arrays.files]

def told(path, outputs):
  np.savez(path, *[x.numpy() for x in tf.nest.flatten(outputs)])

for path in folder.glob("*/*/served"):
  loaded = tf.saved_model.load(str(path))
  (signature,), _ = loaded.serve.concrete_functions[0].structured_input_signature
  told(path.parent / "from_served.npz",
       loaded.serve(tf.nest.pack_sequence_as(signature, flat(path.parent / "inputs.npz"))))
assert not [name for name in sys.modules if name.startswith("garden")]

import garden.layers
for kind in ("layers", "models"):
  for path in folder.glob(f"{kind}/*/saved.keras"):
    if kind == "models":
      getattr(garden.layers, path.parent.name)
    model = tf.keras.models.load_model(path)
    told(path.parent / "from_keras.npz", model(
        tf.nest.pack_sequence_as(model.input, flat(path.parent / "inputs.npz"))))
    told(path.parent / "weights_from_keras.npz", [w.value() for w in model.trainable_weights])
  if kind == "layers":
    assert "gin" not in sys.modules
"""


def _uniform(*shape):
  return np.random.default_rng(len(shape)).uniform(0.0, 1.0, shape).astype(np.float32)


def _camera():
  return np.tile(np.array([0.0, 0.3, 9.5, 38.0, 0.0, 0.0, 1.5], np.float32), (2, 1))


def _some(arrays, *names):
  return {name: arrays[name] for name in names}


@functools.cache
def _towers():
  return towers.sample(2, seed=0).arrays()


@functools.cache
def _tables():
  return tables.sample(2, seed=0).arrays()


def _state():
  return _some(_towers(), "present", "position", "rotation", "size")


def _lenets():
  return layers.LeNet((2, 3), 4), layers.LeNet((2, 3), 4)


# Name -> the layer, and what it is called with: a tuple is several arguments.
_LAYERS = {
    "BEGANAutoencoder": lambda: (
        layers.BEGANAutoencoder(8, 2, 3, skip=True, vanishing=5, detail=True),
        _uniform(2, 8, 8, 3)),
    "BallHeatMaps": lambda: (layers.BallHeatMaps(2, (3, 3)), _uniform(2, 16, 16, 3)),
    "BallPerception": lambda: (layers.BallPerception(2, 2, (3, 3), 4), _uniform(2, 2, 16, 16, 3)),
    "BallVelocity": lambda: (layers.BallVelocity(units=4), (
        _uniform(2, 2, 3, 2), np.array([[True, True, False]] * 2), _uniform(2, 3))),
    "ConvDecoder": lambda: (layers.ConvDecoder((3, 3), (2, 3), (9, 7, 1)), _uniform(2, 18)),
    "ConvEncoder": lambda: (layers.ConvEncoder((3, 3), (2, 3)), _uniform(2, 9, 7, 1)),
    "CosineHead": lambda: (layers.CosineHead(3), _uniform(2, 4)),
    "GoogLeNet": lambda: (layers.GoogLeNet(0.05, "small"), _uniform(2, 16, 16, 3)),
    "GradientReversal": lambda: (layers.GradientReversal(0.1), _uniform(2, 3)),
    "Graphics": lambda: (layers.Graphics(12), {
        "state": _state(), "camera": _camera(), "light": _uniform(2, 4),
        "image": _uniform(2, 12, 12, 3), "focus": _uniform(2, 12, 12)}),
    "IdentityAgent": lambda: (layers.IdentityAgent(3), _uniform(2, 4)),
    "Inception": lambda: (layers.Inception((1, 2, 3, 2, 2, 1)), _uniform(2, 8, 8, 3)),
    "InteractionNetwork": lambda: (
        layers.InteractionNetwork(units=4),
        _some(_tables(), "present", "position", "velocity", "radius")),
    "LayoutHead": lambda: (layers.LayoutHead(2, 3), _uniform(2, 4, 4, 3)),
    "LeNet": lambda: (_lenets()[0], _uniform(2, 16, 16, 1)),
    "LowRankMaskHead": lambda: (layers.LowRankMaskHead(8, 2, 4, 2, 3, 2), _uniform(2, 4, 4, 3)),
    "MaskHead": lambda: (layers.MaskHead(3, 2, 4, (3, 2)), _uniform(2, 4, 4, 3)),
    "MultiLayerDomainDiscriminator": lambda: (
        layers.MultiLayerDomainDiscriminator(hidden=(4,)), [_uniform(2, 3, 3, 2), _uniform(2, 4)]),
    "Perception": lambda: (
        layers.Perception(places=3, filters=(2, 3, 4), size=16, proposal_size=16),
        {"image": _uniform(2, 32, 32, 3), "camera": _camera()}),
    "Proposals": lambda: (layers.Proposals(2, (2, 3, 4)), _uniform(2, 16, 16, 3)),
    "PrototypeSimilarity": lambda: (
        layers.PrototypeSimilarity("cosine"), [_uniform(2, 4), _uniform(3, 4)]),
    "Refiner": lambda: (layers.Refiner("hourglass", (2, 3, 4)), _uniform(2, 8, 8, 3)),
    "ResNet": lambda: (layers.ResNet((64, 8), (1, 1)), _uniform(2, 16, 16, 3)),
    "ResNetTrunk": lambda: (layers.ResNetTrunk(18), _uniform(2, 32, 32, 3)),
    "ResidualBlock": lambda: (layers.ResidualBlock(4, stride=2), _uniform(2, 8, 8, 3)),
    "Scattering": lambda: (layers.Scattering(1, 2), _uniform(2, 8, 8, 1)),
    "ScoreHead": lambda: (layers.ScoreHead((3, 4)), _uniform(2, 4, 4, 3)),
    "Segmenter": lambda: (layers.Segmenter(3), _uniform(2, 16, 16, 3)),
    "SelfExpression": lambda: (layers.SelfExpression(2, p=1, weight=0.5), _uniform(2, 3)),
    "SemanticTransferLoss": lambda: (layers.SemanticTransferLoss(2), {
        "target": _uniform(3, 4), "labeled": _uniform(2, 4), "labels": np.array([0, 1])}),
    "SoftSupport": lambda: (layers.SoftSupport(), {
        **_some(_towers(), "present", "position", "size"),
        "yaw": _uniform(*_towers()["present"].shape)}),
    "SupportEngine": lambda: (layers.SupportEngine(), _state()),
    "Surroundings": lambda: (layers.Surroundings((2, 3, 4), 5), _uniform(2, 16, 16, 3)),
    "TableRenderer": lambda: (layers.TableRenderer(12), _some(
        _tables(), "present", "position", "radius", "color", "cloth_color")),
    "TopDownHead": lambda: (layers.TopDownHead(4, 3), {
        "features": _uniform(2, 3, 5), "valid": np.array([[True, True, False]] * 2)}),
    "TowerRenderer": lambda: (layers.TowerRenderer((12, 16), softness=1.0), _towers()),
    "Trunk": lambda: (layers.Trunk((2, 3, 4), blocks=2), _uniform(2, 16, 16, 3)),
    "WindowNet": lambda: (layers.WindowNet((2, 3, 4)), {
        "windows": _uniform(2, 16, 16, 3), "context": _uniform(2, 3)}),
}
_MODELS = {
    "BEGAN": lambda: (
        layers.BEGAN(dagan.Network(size=8, filters=2, hidden=3), dagan.BEGANRecipe()),
        _uniform(2, 3)),
    "Billiards": lambda: (
        layers.Billiards(billiards.BilliardsNetwork(seen=2), billiards.BilliardsRecipe()),
        _uniform(2, 2, 16, 16, 3)),
    "DAGAN": lambda: (
        layers.DAGAN(dagan.Network(size=8, filters=2, hidden=3, refiner="residual",
                                   refiner_filters=2, refiner_blocks=2), dagan.Recipe(), 3),
        _uniform(2, 8, 8, 3)),
    "DeepMask": lambda: (
        layers.DeepMask(physnet.Network(filters=(2, 3, 4)), physnet.Recipe(),
                        patches.Patches(size=16, mask_size=8), score_units=(3, 4)),
        _uniform(2, 16, 16, 3)),
    "MME": lambda: (
        layers.MME(*_lenets(), 3, 2, (16, 16, 1), transfer.MinimaxEntropy()),
        _uniform(2, 16, 16, 1)),
    "MatchingNet": lambda: (
        layers.MatchingNet(*_lenets(), 3, 2, (16, 16, 1), transfer.Matching()),
        _uniform(2, 16, 16, 1)),
    "PhysNet": lambda: (
        layers.PhysNet(physnet.Network(
            crop=physnet.Crop(size=(16, 16), map_size=4, segment_size=16), filters=(2, 3, 4),
            units=4, coarse=4, mask_filters=(3, 2)), physnet.Recipe(), mask_size=8),
        _uniform(2, 16, 16, 3)),
    "PhysNetWindows": lambda: (
        layers.PhysNetWindows(physnet.Windows(filters=(2, 3, 4), size=16, segment_size=16),
                              physnet.Recipe()),
        _uniform(2, 16, 16, 3)),
    "Recogniser": lambda: (layers.Recogniser(3, (2, 3)), _uniform(2, 8, 8, 3)),
    "TransferModel": lambda: (
        layers.TransferModel(*_lenets(), 3, 2, (16, 16, 1), transfer.Recipe.stable()),
        _uniform(2, 16, 16, 1)),
    "VDA": lambda: (
        layers.VDA(vda.Network(filters=(2, 3, 4), size=16, proposal_size=16, picture_size=16,
                               places=2), vda.Recipe()),
        {"image": _uniform(2, 16, 16, 3), "camera": _camera()}),
}
_SLOW = {"BallPerception", "Billiards", "DeepMask", "GoogLeNet", "Graphics", "Perception",
         "PhysNet", "PhysNetWindows", "ResNet", "ResNetTrunk", "TowerRenderer", "VDA",
         "WindowNet"}  # seconds each
_QUICK = [name for name in layers.__all__ if name not in {*_SLOW, "DSCNet"}]


def _functional(layer, inputs):
  """A Functional model of a layer alone, with weights that no other has."""
  fixed = isinstance(layer, layers.SelfExpression)  # it belongs to so many samples
  symbols = tf.nest.map_structure(
      lambda x: tf.keras.Input(batch_shape=(x.shape[0] if fixed else None, *x.shape[1:]),
                               dtype=x.dtype), inputs)
  model = tf.keras.Model(
      symbols, layer(*symbols) if isinstance(inputs, tuple) else layer(symbols))
  rng = np.random.default_rng(7)
  for weight in model.weights:
    if weight.dtype.is_floating:  # upwards: variances stay positive
      weight.assign_add(rng.uniform(0.0, 0.2, weight.shape).astype(np.float32))
  return model


def _written(names, folder):
  """Saves models of all names in both ways, and lets a new process read them."""
  for name in names:
    kind, make = ("layers", _LAYERS) if name in _LAYERS else ("models", _MODELS)
    layer, inputs = make[name]()
    model, path = _functional(layer, inputs), folder / kind / name
    path.mkdir(parents=True)
    fed = list(inputs) if isinstance(inputs, tuple) else inputs
    for file, values in (("inputs", fed), ("outputs", model(fed)),
                         ("weights", [w.value() for w in model.trainable_weights])):
      np.savez(path / f"{file}.npz", *[np.asarray(x) for x in tf.nest.flatten(values)])
    model.save(path / "saved.keras")
    model.export(str(path / "served"))
  done = subprocess.run([sys.executable, "-c", _READ, str(folder)], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr[-3000:]
  return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
  """Folder of what was saved and read back, of all but the slow ones."""
  return _written(_QUICK, tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
  """The same of the slow ones."""
  return _written(sorted(_SLOW), tmp_path_factory.mktemp("slow"))


def _arrays(path):
  with np.load(path, allow_pickle=False) as arrays:
    return [arrays[name] for name in arrays.files]


def _check(folder, name):
  (path,) = folder.glob(f"*/{name}")
  wanted, weights = _arrays(path / "outputs.npz"), _arrays(path / "weights.npz")
  assert wanted and all(np.all(np.isfinite(x)) for x in wanted)
  for file in ("from_served", "from_keras"):
    found = _arrays(path / f"{file}.npz")
    assert len(found) == len(wanted)
    for ours, theirs in zip(wanted, found):
      assert ours.dtype == theirs.dtype
      size = np.max(np.abs(ours.astype(np.float64)), initial=1.0)
      np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5 * size, err_msg=f"{name}, {file}")
  again = _arrays(path / "weights_from_keras.npz")
  assert len(again) == len(weights)
  for ours, theirs in zip(weights, again):
    np.testing.assert_array_equal(ours, theirs)


def test_every_name_has_its_case():
  assert sorted([*_LAYERS, *_MODELS, "DSCNet"]) == layers.__all__
  assert {"DSCNet", *_MODELS} == set(layers._MODELS)


@pytest.mark.parametrize("name", _QUICK)
def test_another_process_reads_it_from_both_files(name, quick):
  _check(quick, name)


@pytest.mark.torture
@pytest.mark.parametrize("name", sorted(_SLOW))
def test_another_process_reads_a_large_one_from_both_files(name, slow):
  _check(slow, name)


@pytest.mark.parametrize("name", ["SelfExpression", "SemanticTransferLoss"])
def test_a_layers_own_loss_is_kept(name, tmp_path):
  model = _functional(*_LAYERS[name]())
  model.save(tmp_path / "a.keras")
  again = tf.keras.models.load_model(tmp_path / "a.keras")
  _, inputs = _LAYERS[name]()
  model(inputs), again(inputs)
  assert float(model.losses[0]) > 0
  assert float(again.losses[0]) == pytest.approx(float(model.losses[0]))
