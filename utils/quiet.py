"""Import TensorFlow without its start-up log lines, which would otherwise be stored as a notebook's output.

They come from C++ and go straight to file descriptor 2, so they are held back there, and only while TensorFlow starts.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.stderr.flush()
_stderr = os.dup(2)
with open(os.devnull, "wb") as _nowhere:
    os.dup2(_nowhere.fileno(), 2)
try:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.list_logical_devices()  # makes it look for devices now, while nobody has to read about it
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)

__all__ = ["tf"]
