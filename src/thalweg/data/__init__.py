"""Where rows come from when they are not arrays: files, one after another or at once, and frames.

``files`` has the two functions that users call; ``tables`` opens each format, ``delimited`` finds
out how a text is laid out, ``columns`` chooses target and features, ``rows`` takes numbers out of
batches and stops at missing ones, ``scanning`` reads ahead, ``frames`` takes pandas, Polars and
Arrow, ``torch_datasets`` what PyTorch's loaders take. Not here: letters counted in texts
(:mod:`thalweg.data.texts`), run files (:mod:`thalweg.runs.run_file`).
"""
