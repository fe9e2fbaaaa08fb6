"""Environments dressed for others: Gymnasium, Stable-Baselines3, PettingZoo. No dynamics here.

`gym` offers one episode (`gymnasium.Env`) or a batch (`gymnasium.vector.VectorEnv`), `vec` a batch
as Stable-Baselines3 wants it, `parallel` the agents of one episode as PettingZoo wants them.
"""
