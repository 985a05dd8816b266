"""How native kernels are compiled: Numba, cached on disk, typed for the checker.

Not here: any kernel.
"""
