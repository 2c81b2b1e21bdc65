"""What holds on a GPU only. Without one, these tests are skipped, and a line says so."""

import numpy as np
import pytest

from utils import machine
from utils.fast import FusedAdam, FusedBatchNormalization, keras
from utils.model import alexnet
from utils.quiet import tf

GPUS = tf.config.list_physical_devices("GPU")
pytestmark = pytest.mark.skipif(
    not GPUS, reason="NOTHING WAS TESTED ON A GPU: TensorFlow finds none here. The course was never measured on one"
)


def test_the_notebooks_take_no_more_memory_than_they_need():
    assert all(tf.config.experimental.get_memory_growth(gpu) for gpu in GPUS)


def test_the_number_type_is_one_that_the_gpu_computes_in():
    capability = tf.config.experimental.get_device_details(GPUS[0]).get("compute_capability", (0, 0))
    assert machine.fastest_dtype() == ("mixed_bfloat16" if capability >= (8, 0) else "float32")


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_batch_normalisation_is_that_of_keras(dtype):
    images = np.random.default_rng(0).normal(size=(16, 9, 9, 8)).astype("float32")
    fused, own = FusedBatchNormalization(dtype=dtype), keras.layers.BatchNormalization(dtype=dtype)
    for training in (True, False):
        results = [np.asarray(tf.cast(layer(images, training=training), tf.float32)) for layer in (fused, own)]
        assert results[0] == pytest.approx(results[1], abs=0.03 if "bfloat16" in dtype else 1e-3)


def test_a_step_of_adam_is_that_of_keras():
    start = np.random.default_rng(1).normal(size=(50, 20)).astype("float32")
    variables = [keras.Variable(start) for _ in range(2)]
    for optimizer, variable in zip((FusedAdam(0.01), keras.optimizers.Adam(0.01)), variables, strict=True):
        for _ in range(3):
            optimizer.apply([tf.constant(start * 0.1)], [variable])
    assert variables[0].numpy() == pytest.approx(variables[1].numpy(), abs=1e-5)


def test_the_network_computes_there():
    network = alexnet((67, 67), fc_units=16)
    assert "GPU" in network(np.zeros((2, 67, 67, 1), "float32"))[0].device
