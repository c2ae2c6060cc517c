"""Object detection with a residual net inside: Faster R-CNN in the form of He et al. 2015, appendix A."""
