"""How well the data condition a descent: curvatures, stable and best rates, epochs needed."""
