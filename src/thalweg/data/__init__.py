"""Rows, wherever they come from: arrays, frames, files one after another or at once.

``source`` says what all that is above may know of rows, ``dataset`` holds them in memory, and
``inputs`` is the door: it makes a source of whatever users pass. ``arrays`` takes arrays and
tensors, ``frames`` pandas, Polars and Arrow, ``torch_datasets`` what PyTorch's loaders take.

``files`` has the two functions for files that users call; ``paths`` finds them, ``file_set`` looks
into each once, ``tables`` opens each format, ``delimited`` finds out how a text is laid out,
``columns`` chooses target and features, ``rows`` takes numbers out of batches and stops at missing
ones, ``scanning`` reads ahead. Not here: letters counted in texts
(:mod:`thalweg.data.texts`), run files (:mod:`thalweg.runs.run_file`).
"""
