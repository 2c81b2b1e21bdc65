"""Import TensorFlow and Keras without their start-up log lines, and pin the settings that the notebooks rely on.

The log lines would otherwise be stored as a notebook's output. They come from C++ and go straight to file descriptor 2,
so they are held back there, and only while TensorFlow starts.
"""

import os
import sys
from pathlib import Path

from utils.files import CourseError, cause, require

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"  # it counts more than a keras.json in the reader's home folder
_keras_json = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
sys.stderr.flush()
_stderr = os.dup(2)
with open(os.devnull, "wb") as _nowhere:
    os.dup2(_nowhere.fileno(), 2)
try:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    for _gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(_gpu, True)  # else one notebook takes the whole memory of the GPU
    if "TF_CONFIG" not in os.environ:  # one worker of many must name the others before TensorFlow looks for devices
        tf.config.list_logical_devices()  # makes it look for devices now, while nobody has to read about it
    import keras
except (ImportError, RuntimeError):  # TensorFlow is missing, or was started before: no file of settings does that
    raise
except Exception as error:
    if not _keras_json.exists():
        raise
    raise CourseError(
        f"Keras does not start ({cause(error)}). Its settings may be wrong: correct or delete the file keras.json in "
        "the folder .keras of your home folder, then restart the kernel."
    ) from error
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)

require(
    keras.config.backend() == "tensorflow",
    f"Keras was imported before the course, with {keras.config.backend()} instead of TensorFlow: restart the kernel.",
)
keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)

__all__ = ["keras", "tf"]
