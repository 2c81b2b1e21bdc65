"""The network: the right size, outputs that are not mixed up, and files that are checked before they are used."""

import os
from types import SimpleNamespace
from uuid import UUID

import numpy as np
import pytest
from conftest import SIZE

from utils import machine
from utils import model as models
from utils.captchas import text_from
from utils.files import CourseError
from utils.model import alexnet, keras, load_model, probabilities, save_model
from utils.quiet import tf


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    return alexnet(SIZE, fc_units=32)


def pictures(count=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 1), dtype=np.uint8)


def test_parameter_count_of_the_full_network():
    """AlexNet v2 with one gray channel, no BatchNorm, four outputs of ten, biases everywhere."""
    convolutions = 64 * (11 * 11 * 1 + 1) + 192 * (5 * 5 * 64 + 1) + 384 * (3 * 3 * 192 + 1)
    convolutions += 384 * (3 * 3 * 384 + 1) + 256 * (3 * 3 * 384 + 1)
    dense = 4096 * (5 * 5 * 256 + 1) + 4096 * (4096 + 1) + 4 * 10 * (4096 + 1)
    assert alexnet(batch_norm=False).count_params() == convolutions + dense == 46_355_304


def test_outputs_are_named_and_shaped():
    network = alexnet(SIZE, classes=7, length=5, fc_units=16)
    assert network.output_names == [f"digit_{place}" for place in range(5)]
    assert [output.shape for output in network.outputs] == [(None, 7)] * 5
    assert all(output.dtype == "float32" for output in network.outputs)


def test_arguments_reach_the_layers():
    def kinds(**arguments):
        return [type(layer).__name__ for layer in alexnet(SIZE, fc_units=16, **arguments).layers]

    assert kinds().count("FusedBatchNormalization") == 7
    assert kinds(batch_norm=False).count("FusedBatchNormalization") == 0
    plain = alexnet(SIZE, fc_units=16, dropout=0.25, weight_decay=0.0005)
    assert {layer.rate for layer in plain.layers if isinstance(layer, keras.layers.Dropout)} == {0.25}
    penalised = [layer for layer in plain.layers if getattr(layer, "kernel_regularizer", None)]
    assert len(penalised) == 11 and len(plain.losses) == 11
    assert not alexnet(SIZE, fc_units=16).losses


def test_pictures_that_are_too_small():
    """The smallest picture still has one place left after the last pooling, and one pixel less has none."""
    for strides, smallest in (((4, 4), (67, 67)), ((4, 2), (67, 39)), ((3, 5), (53, 81))):
        network = alexnet(smallest, fc_units=16, strides=strides)
        assert network.output_shape[0] == (None, 10)
        assert next(layer for layer in network.layers if layer.name.startswith("flatten")).output.shape == (None, 256)
        for less in ((smallest[0] - 1, smallest[1]), (smallest[0], smallest[1] - 1)):
            with pytest.raises(CourseError, match=f"needs at least {smallest[0]} and {smallest[1]} pixels"):
                alexnet(less, strides=strides)


@pytest.mark.parametrize(
    ("argument", "value"), [("fc_units", 0), ("dropout", 1.0), ("dropout", -0.1), ("weight_decay", -0.1)]
)
def test_impossible_arguments(argument, value):
    with pytest.raises(CourseError, match=f"{argument} is {value}, but must"):
        alexnet(SIZE, **{argument: value})


def test_the_first_loss_is_that_of_chance(small):
    chances = probabilities(small, pictures(20))
    assert chances.shape == (20, 4, 10)
    assert np.allclose(chances.sum(axis=-1), 1, atol=1e-5)
    assert -np.log(chances).mean() == pytest.approx(np.log(10), abs=1e-6)
    original = alexnet(SIZE, fc_units=32, batch_norm=False)
    assert -np.log(probabilities(original, pictures(20))).mean() == pytest.approx(np.log(10), abs=0.01)
    assert original.get_layer("fc6").bias.numpy() == pytest.approx(0.1)


def test_outputs_are_not_mixed_up():
    """A model whose head k always says k: the probabilities must come out in that order."""
    network = alexnet(SIZE, fc_units=16)
    for place in range(4):
        network.get_layer(f"digit_{place}").set_weights([np.zeros((16, 10)), 50.0 * np.eye(10)[place]])
    assert probabilities(network, pictures()).argmax(axis=-1).tolist() == [[0, 1, 2, 3]] * 3
    assert text_from([0, 1, 2, 3]) == "0123"
    assert text_from([2, 0], chars="abc") == "ca"


def outspoken(network):
    """The network with outputs that no longer start at zero: a new one gives every digit of every picture 1/10."""
    for place in range(4):
        layer, chance = network.get_layer(f"digit_{place}"), np.random.default_rng(place)
        layer.set_weights([chance.normal(size=weights.shape) for weights in layer.get_weights()])
    return network


def test_probabilities_do_not_depend_on_the_batch():
    network, images = outspoken(alexnet(SIZE, fc_units=32)), pictures(7)
    chances = probabilities(network, images)
    assert np.ptp(chances, axis=0).max() > 0.01  # pictures differ, so the check can fail
    assert np.allclose(probabilities(network, images, batch_size=3), chances, atol=1e-4)


def test_scaling_gives_every_picture_the_same_contrast():
    """Whether the ink is pale or dark, the paper comes out as 1, the text as about 0, a darker dot below it."""
    images = np.full((3, 8, 8, 1), 240, np.uint8)
    for image, ink in zip(images, (40, 140, 220), strict=True):
        image[2:6, 2:6] = ink
    images[0, 0, 0] = 0
    found = models.scaled(images).numpy()[..., 0]
    assert found.dtype == np.float32 and found.min() >= -1 and found.max() == 1
    assert (found[:, 7, 7] == 1).all()
    assert np.abs(found[:, 3, 3]).max() < 0.05
    assert found[0, 0, 0] < -0.1  # the dot is darker than the text


def test_scaling_of_a_picture_without_ink():
    assert (models.scaled(np.full((1, 4, 4, 1), 200, np.uint8)).numpy() == 1).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_reloaded_model_predicts_the_same(policy, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        network = outspoken(alexnet(SIZE, fc_units=32))
    finally:
        keras.config.set_dtype_policy(before)
    save_model(network, tmp_path / "alexnet.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["alexnet.keras"]
    loaded = load_model(tmp_path / "alexnet.keras", SIZE)
    assert np.array_equal(probabilities(loaded, pictures()), probabilities(network, pictures()))


def test_the_optimizer_is_not_saved(tmp_path):
    """Adam keeps two numbers for each weight, which nobody needs who only predicts."""
    network = alexnet(SIZE, fc_units=32)
    network.compile("adam", loss=["mse"] * 4)
    network.fit(np.zeros((1, *SIZE, 1)), [np.zeros((1, 10))] * 4, verbose=0)
    save_model(network, tmp_path / "alexnet.keras")
    assert (tmp_path / "alexnet.keras").stat().st_size < 1.2 * 4 * network.count_params()


def test_a_missing_model_names_the_notebook_to_run(tmp_path):
    with pytest.raises(CourseError, match=r"run 05-train-alexnet\.ipynb first"):
        load_model(tmp_path / "alexnet.keras", SIZE)


def test_damaged_and_foreign_model_files(small, tmp_path):
    path = tmp_path / "alexnet.keras"
    save_model(small, path)
    good = path.read_bytes()
    middle = len(good) // 2
    for bad in (good[:middle], good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :], b"no model", b""):
        path.write_bytes(bad)
        with pytest.raises(CourseError, match=r"is no whole Keras model \(.*: delete it and run 05"):
            load_model(path, SIZE)


def test_a_model_of_another_shape(small, tmp_path):
    path = tmp_path / "alexnet.keras"
    save_model(small, path)
    with pytest.raises(CourseError, match=r"takes pictures of shape \(96, 96, 1\)"):
        load_model(path, (224, 224))
    with pytest.raises(CourseError, match="has 4 outputs"):
        load_model(path, SIZE, length=5)


def test_a_model_that_brings_code_is_refused(tmp_path):
    """Keras's safe mode: a file must not be able to run code of its own."""
    inputs = keras.Input((*SIZE, 1))
    code = keras.layers.Lambda(lambda x: x, output_shape=(*SIZE, 1))
    keras.Model(inputs, code(inputs)).save(tmp_path / "alexnet.keras")
    with pytest.raises(CourseError, match=r"alexnet\.keras has a layer that is not known here.* and no Lambda\.$"):
        load_model(tmp_path / "alexnet.keras", SIZE)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is a Linux thing")
def test_a_full_disk_while_saving(small, tmp_path, monkeypatch):
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=0))
    (tmp_path / ".part-00000000-alexnet.keras").symlink_to("/dev/full")
    with pytest.raises(CourseError, match="Cannot write"):
        save_model(small, tmp_path / "alexnet.keras")
    assert not list(tmp_path.iterdir())


def test_bfloat16_is_used_only_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])

    def flags(text):
        monkeypatch.setattr(machine.Path, "read_text", lambda *arguments, **keywords: text)
        return machine.fastest_dtype()

    assert flags("flags : fpu avx512f avx512_bf16 sse") == "mixed_bfloat16"
    assert flags("flags : amx_bf16") == "mixed_bfloat16"
    assert flags("flags : fpu avx2 avx512f") == "float32"


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), "mixed_bfloat16"), ((7, 5), "float32")])
def test_where_a_gpu_trains_its_own_numbers_count(monkeypatch, capability, dtype):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    monkeypatch.setattr(machine, "native_bfloat16", lambda: capability < (8, 0))  # the processor says the opposite
    assert machine.fastest_dtype() == dtype


def test_averaging_moves_the_picture_in_each_direction_and_keeps_its_edge():
    """A stand-in that reports the brightness of one pixel shows which pictures it was given."""
    asked = []

    class Spy:
        def predict_on_batch(self, images):
            asked.append(np.asarray(images)[0, :, :, 0])
            return [np.zeros((len(images), 10), np.float32)] * 4

    image = np.full((1, 9, 9, 1), 255, np.uint8)
    image[0, 4, 4] = 0
    chances = models.averaged_probabilities(Spy(), image, shift=2 / 9)
    assert chances.shape == (1, 4, 10) and np.allclose(chances, 0.1)
    places = sorted(np.argwhere(picture < 0.9).tolist()[0] for picture in asked)
    assert places == [[2, 4], [4, 2], [4, 4], [4, 6], [6, 4]]
    assert all((picture == 1).sum() == 80 for picture in asked)  # all other pixels are paper, also at the edge


def test_averaging_is_the_mean_of_logarithms():
    logits = np.random.default_rng(0).normal(size=(5, 4, 1, 10)).astype("float32")  # look, output, picture, digit
    looks = iter(logits)
    network = SimpleNamespace(predict_on_batch=lambda images: list(next(looks)))
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    mean = np.exp(logs.mean(axis=0))
    wanted = (mean / mean.sum(axis=-1, keepdims=True)).swapaxes(0, 1)
    assert np.allclose(models.averaged_probabilities(network, pictures(1)), wanted, atol=1e-5)


def test_a_compact_model_predicts_almost_the_same(tmp_path):
    keras.utils.set_random_seed(1)
    network = alexnet(SIZE, fc_units=24)
    for place in range(4):
        network.get_layer(f"digit_{place}").set_weights(
            [np.random.default_rng(place).normal(size=(24, 10)), np.ones(10)]
        )
    models.save_compact(network, tmp_path / "small.npz", {"seed": 7})
    loaded, records = models.load_compact(tmp_path / "small.npz", SIZE)
    assert records == {"seed": 7}
    assert (tmp_path / "small.npz").stat().st_size < 1.1 * network.count_params()
    assert np.allclose(probabilities(loaded, pictures(20)), probabilities(network, pictures(20)), atol=0.1)
    with pytest.raises(CourseError, match=r"takes pictures of 96x96, and yours are 224x224: set image_height = 96 and"):
        models.load_compact(tmp_path / "small.npz", (224, 224))


def test_a_compact_model_that_is_missing_or_damaged(tmp_path):
    with pytest.raises(CourseError, match="There is no"):
        models.load_compact(tmp_path / "small.npz", SIZE)
    models.save_compact(alexnet(SIZE, fc_units=8), tmp_path / "small.npz", {})
    good, middle = (tmp_path / "small.npz").read_bytes(), 3_000_000
    for bad in (good[:middle], good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :], b"no model", b""):
        (tmp_path / "small.npz").write_bytes(bad)
        with pytest.raises(CourseError, match="is no whole model"):
            models.load_compact(tmp_path / "small.npz", SIZE)
