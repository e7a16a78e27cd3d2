"""Write docs/keras.md: some minutes."""

from keras_names.page import PAGE, cell, key, page
from keras_names.trial import FUNCTIONS, LAYERS, verdict

PAGE.write_text(
    page(
        {
            key(name): (cell(verdict(name, "int8")), cell(verdict(name, "int16")))
            for name in (*LAYERS, *FUNCTIONS)
        }
    )
)
