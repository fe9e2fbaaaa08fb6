"""Learned policies: how close do they come to the exact optimum?

This room sees environments, batched NumPy arrays of observations, actions and rewards, and never a
mechanism. It may import NumPy and SciPy, and, inside the function that needs them, torch,
Stable-Baselines3, Gymnasium, PettingZoo, hmmlearn and safetensors (the extra `learn`). It imports
neither `mechkit` nor `solvers` nor `proofs`, so that it can be used alone.

`environment` is what a market offers, `adapters` dress it for Gymnasium, Stable-Baselines3 and
PettingZoo; `learner` is what an algorithm offers, one file each beside it; `known` are problems of
known answers, `evaluate` plays a policy, `statistics` and `compare` say how far from the optimum.
"""
