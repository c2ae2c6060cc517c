"""Residual learning as denoising: predicting the noise, and subtracting it (Zhang et al. 2017)."""
