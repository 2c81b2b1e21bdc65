"""Programs that measure speed and accuracy. They end in a sentence, as those of the course do."""

import utils  # noqa: F401
