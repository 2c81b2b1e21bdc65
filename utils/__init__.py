"""Helpers that more than one notebook of the course needs.

Importing this package, or its modules ``files``, ``machine``, ``captchas``, ``scores``, ``figures`` and ``progress``,
does not load TensorFlow.
"""
