"""Learned policies: how close do they come to the exact optimum?

This room sees environments, batched NumPy arrays of observations, actions and rewards, and never a
mechanism. It may import NumPy and SciPy, and, inside the function that needs them, torch,
Stable-Baselines3, Gymnasium, PettingZoo, hmmlearn and safetensors (the extra `learn`). It imports
neither `mechkit` nor `solvers` nor `proofs`, so that it can be used alone.

No learner is here yet. The environment protocol with its adapters, the algorithms, and the
statistics of learned against optimal are still to come.
"""
