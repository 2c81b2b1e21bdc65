"""Other people's networks on this course's captchas, by one rule: ``python -m benchmarks.peers``, see `__main__`."""
