"""bfloat16 where the device multiplies it, float32 elsewhere."""

import pytest
import torch

from reslab import precision
from reslab.precision import autocast, computed_in, precisions_of

CPU = torch.device("cpu")


@pytest.fixture(params=[True, False], ids=["bf16", "no bf16"])
def has_bf16(request, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda device: request.param)
    return request.param


def test_bf16_is_float32_where_the_device_has_none(has_bf16):
    assert computed_in("bf16", CPU) == ("bf16" if has_bf16 else "fp32")
    assert computed_in("fp32", CPU) == "fp32"
    assert precisions_of(CPU) == (("fp32", "bf16") if has_bf16 else ("fp32",))


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_layers_compute_in_it(has_bf16, wanted):
    with autocast(wanted, CPU):
        y = torch.nn.Linear(2, 2)(torch.ones(1, 2))
    assert y.dtype == (torch.bfloat16 if has_bf16 and wanted == "bf16" else torch.float32)


def test_a_cpu_without_products_of_bf16_is_known():
    """Of x86: AVX-512 has or emulates them at the speed of float32, AVX2 needs an extension."""
    known = torch.cpu.get_capabilities()
    if known["architecture"] == "x86_64":
        assert precision.multiplies_bf16(CPU) == (known["avx512_bw"] or known["avx_ne_convert"])


@pytest.mark.gpu
def test_a_gpu_of_ampere_or_later_has_them():
    major, _ = torch.cuda.get_device_capability()
    assert precision.multiplies_bf16(torch.device("cuda")) == (major >= 8)
