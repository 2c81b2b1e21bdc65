"""The outlook: train on captchas that never come again, ``python -m benchmarks.endless small``.

Network and number of steps are those of the recipe, but in every epoch each of the texts for training is drawn anew.
The drawings are not augmented, unless ``--augmented`` asks for it: then only the drawing differs from the recipe. The
model is scored as any other. The result goes to ``results/accuracy/small-endless.json``, or to
``small-endless-augmented.json``.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from benchmarks.accuracy import earlier, known_parameters, read_recipe, report, save, start, train_on
from benchmarks.bench import size_of
from utils.captchas import USUAL, split_texts
from utils.fresh import fresh_captchas

ENDLESS = "endless"


def drawings(texts: tuple[str, ...], seed: int, batch_size: int, epochs: int) -> list[tuple[str, str]]:
    """The texts of whole batches, and the seeds to draw them: in a new order and drawn anew in each epoch."""
    from utils.shards import drawing

    whole = len(texts) // batch_size * batch_size
    return [drawing(texts, seed, epoch * len(texts) + number) for epoch in range(epochs) for number in range(whole)]


def train(values: dict[str, object], seed: int) -> dict[str, object]:
    """Train on fresh drawings with these parameters, and score the model like that of any recipe."""
    from utils import augment, model
    from utils.quiet import tf

    size, batch_size = size_of(values), values["batch_size"]
    start(seed)
    chars, length, look = values["chars"], values["length"], {name: values[name] for name in USUAL}
    held_out, texts = split_texts(values["captcha_count"], values["test_count"], seed, chars, length)
    tests = fresh_captchas([(text, seed) for text in held_out], size, chars=chars, **look)
    signature = (tf.TensorSpec((batch_size, *size, 1), tf.uint8), tf.TensorSpec((batch_size, length), tf.int64))
    augmented_steps = (values["epochs"] - values["plain_epochs"]) * (len(texts) // batch_size)
    strengths = {"bend": values["bend"], "tone": values["tone"]}
    changed = augment.only_first(augmented_steps, partial(augment.augment, **strengths))
    wanted = drawings(tuple(texts), seed, batch_size, values["epochs"])
    batches = tf.data.Dataset.from_generator(
        lambda: fresh_captchas(wanted, size, batch_size, chars, **look), output_signature=signature
    )

    def prepared(number: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]):
        images, labels = batch
        if values["augmentation"]:
            seeds = tf.stack([tf.constant(seed, tf.int64), number])
            images = changed(images, seeds)
        images = tf.ensure_shape(model.scaled(images), [batch_size, *size, 1])
        return images, tuple(tf.unstack(labels, axis=1))

    batches = batches.enumerate().map(prepared).prefetch(2)
    images, labels = map(np.concatenate, zip(*tests, strict=True))
    return train_on(batches, len(texts) // batch_size, values, seed, (images, labels), held_out + texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of a recipe, which is a file in benchmarks/recipes/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--augmented", action="store_true", help="augment the drawings, as the recipe does")
    options = parser.parse_args()
    values = known_parameters() | read_recipe(options.name)
    name = f"{options.name}-{ENDLESS}"
    if options.augmented:
        name += "-augmented"
    else:
        values["augmentation"] = False
    for seed in options.seeds:
        earlier(name, values)  # a damaged file is told before the training
        report(name, save(name, values, train(values, seed)))


if __name__ == "__main__":
    main()
