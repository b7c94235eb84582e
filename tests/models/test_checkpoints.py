"""Reading weights of others: the tensors of PyTorch's own loader under the same names, whatever lies around them."""

import argparse
import copy
import dataclasses
import pathlib
import pickle
import sys
import types
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain.models.checkpoints import Checkpoint, Weights, read
from ganexplain.models.critic import Critic
from ganexplain.models.gan import bundled
from tests.models._files import Net, Script, rewritten, save, seeded

LEGACY = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def same(found: Weights, wanted: dict[str, Tensor]) -> None:
    assert list(found.tensors) == list(wanted)
    for name, value in wanted.items():
        assert torch.equal(found.tensors[name], value), name


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return seeded(Net)


@pytest.fixture(scope="module")
def training(net: nn.Module) -> dict[str, object]:
    """What a training loop leaves behind."""
    other = seeded(Script)
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.ones(4, 1, 4, 4), "exp_avg_sq": torch.ones(4, 1, 4, 4)}
    return {
        "epoch": 7,
        "netG": nn.DataParallel(other).state_dict(),
        "G_ema": {"module." + k: 2 * v for k, v in other.state_dict().items()} | {"n_averaged": torch.tensor(5)},
        "netD_state_dict": net.state_dict(),
        "optimizerD": {"state": {0: moments}, "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999), "params": [0]}]},
        "scheduler": {"step_size": 3, "gamma": 0.1, "base_lrs": [2e-4], "last_epoch": 7, "_step_count": 8},
        "fixed_noise": torch.zeros(4, 100, 1, 1),
        "losses": [0.5, 0.25],
        "args": argparse.Namespace(lr=2e-4, out=pathlib.PurePosixPath("runs/a"), betas=(0.5, 0.999)),
        "best": np.float64(1.5),
        "steps": np.int64(12),
    }


@LEGACY
@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt", "a.tar", "a.bin", "no_suffix"])
def test_a_state_dict_is_what_torch_reads(tmp_path, net, legacy, name) -> None:
    path = save(net.state_dict(), tmp_path / name, legacy=legacy)
    found = read(str(path))
    assert (found.format, found.names, found.program, found.notes) == ("torch", ("",), None, ())
    same(found.network(), torch.load(path, weights_only=True))
    assert found.network(role="discriminator") is found.network("")


@LEGACY
def test_a_training_checkpoint_offers_its_networks(tmp_path, training, net, legacy) -> None:
    found = read(save(training, tmp_path / "last.ckpt", legacy=legacy))
    assert found.names == ("netG", "G_ema", "netD_state_dict")
    same(found.network("netD"), net.state_dict())
    same(found.network(role="discriminator"), net.state_dict())
    assert found.network(role="generator").name == "G_ema"
    assert list(found.network("netG").tensors) == list(found.network("G_ema").tensors) == list(Script().state_dict())
    assert found.facts["epoch"] == 7
    assert found.facts["args.out"] == "runs/a"
    assert found.facts["args.betas"] == (0.5, 0.999)
    assert (found.facts["best"], found.facts["steps"]) == (1.5, 12)
    said = " | ".join(found.notes)
    for left_out in ("optimizerD", "scheduler", "fixed_noise"):
        assert left_out in said


def test_names_that_do_not_fit(tmp_path, training) -> None:
    found = read(save(training, tmp_path / "last.ckpt"))
    with pytest.raises(ValueError, match="unknown network in .*'netE'; did you mean 'netG'"):
        found.network("netE")
    with pytest.raises(
        ValueError, match="holds 3 networks: 'netG', 'G_ema', 'netD_state_dict'; choose one by its name"
    ):
        found.network()
    with pytest.raises(ValueError, match="unknown role 'disc'"):
        found.network(role="disc")


@pytest.mark.parametrize(
    ("names", "role", "wanted"),
    [
        (("D", "G"), "discriminator", "D"),
        (("dis", "gen"), "generator", "gen"),
        (("critic_state_dict", "generator_state_dict"), "discriminator", "critic_state_dict"),
        (("model.netD", "model.netG"), "generator", "model.netG"),
        (("G", "G_ema", "D"), "generator", "G_ema"),
        (("params", "params_ema"), "generator", "params_ema"),
        (("discriminatorWeights", "encoder"), "discriminator", "discriminatorWeights"),
        (("state_dict",), "discriminator", "state_dict"),
        (("model_ema",), "discriminator", "model_ema"),
        (("conv3d", "netD"), "discriminator", "netD"),
        (("D_A", "D_B"), "discriminator", "holds 2 networks that may be the discriminator: 'D_A', 'D_B'"),
        (("netG", "G_ema"), "discriminator", "holds no discriminator by name: it holds 'netG', 'G_ema'"),
    ],
)
def test_roles(names, role, wanted) -> None:
    found = Checkpoint(pathlib.Path("a.pth"), "torch", tuple(Weights(n, {"0.weight": torch.ones(1)}) for n in names))
    if wanted in names:
        assert found.network(role=role).name == wanted
    else:
        with pytest.raises(ValueError, match=wanted):
            found.network(role=role)


def test_a_prefix_that_all_weights_share_tells_the_role() -> None:
    found = Checkpoint(pathlib.Path("a.pth"), "torch", (Weights("", {"gen.0.weight": torch.ones(1)}),))
    assert found.network(role="generator").name == ""
    with pytest.raises(ValueError, match="holds no discriminator"):
        found.network(role="discriminator")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"module.a.weight", "module.a.bias"}, {"a.weight", "a.bias"}),
        ({"module._orig_mod.a.weight"}, {"a.weight"}),
        ({"_forward_module.module.a.weight"}, {"a.weight"}),
        ({"a._orig_mod.b.weight", "c.weight"}, {"a.b.weight", "c.weight"}),
        ({"module.a.weight", "b.weight"}, {"module.a.weight", "b.weight"}),  # a part of the network that is called so
        ({"a._orig_mod.weight", "a.weight"}, {"a._orig_mod.weight", "a.weight"}),  # two would become one
    ],
)
def test_prefixes_of_wrappers(tmp_path, before, after) -> None:
    found = read(save({name: torch.ones(2, 2) for name in sorted(before)}, tmp_path / "a.pth"))
    assert set(found.network().tensors) == after


@pytest.mark.parametrize("prefix", ["", "model.", "gan.parts."])
def test_networks_that_share_one_mapping(tmp_path, net, prefix) -> None:
    flat = {f"{prefix}generator.{k}": 2 * v for k, v in Script().state_dict().items()}
    flat |= {f"{prefix}discriminator.module.{k}": v for k, v in net.state_dict().items()}
    found = read(save({"state_dict": flat, "pytorch-lightning_version": "2.0"}, tmp_path / "a.ckpt"))
    assert found.names == (f"state_dict.{prefix}generator", f"state_dict.{prefix}discriminator")
    same(found.network("discriminator"), net.state_dict())


def test_one_network_among_losses_in_a_file_of_lightning(tmp_path, net) -> None:
    flat = {f"discriminator.{k}": v for k, v in net.state_dict().items()} | {"loss.weight": torch.ones(2, 2)}
    plain = read(save({"state_dict": flat}, tmp_path / "a.ckpt"))
    assert plain.names == ("state_dict",)
    known = read(save({"state_dict": flat, "pytorch-lightning_version": "2.0"}, tmp_path / "b.ckpt"))
    same(known.network(role="discriminator"), net.state_dict())


def test_lists_and_repeated_networks(tmp_path, net) -> None:
    state = net.state_dict()
    found = read(save([state, Script().state_dict()], tmp_path / "a.pth"))
    assert found.names == ("0", "1")
    twice = read(save({"model": state, "best": state}, tmp_path / "b.pth"))
    assert twice.names == ("model",)
    assert twice.notes == ("best is the same as model",)


@LEGACY
@pytest.mark.parametrize("wrap", [lambda n: n, nn.DataParallel, lambda n: {"netD": n, "epoch": 3}])
def test_a_whole_module_is_its_state_dict_and_its_facts(tmp_path, net, legacy, wrap) -> None:
    before = torch.serialization.get_safe_globals()
    found = read(save(wrap(net), tmp_path / "net.pth", legacy=legacy)).network()
    same(found, net.state_dict())
    assert found.modules[""]["class"].endswith("_files.Net")
    assert found.modules[""]["size"] == (8, 8)
    assert found.modules[""]["squash"].endswith(".sigmoid")
    assert found.modules["main.2"]["class"] == "torch.nn.modules.activation.LeakyReLU"
    assert found.modules["main.2"]["negative_slope"] == 0.2
    assert found.modules["main.2"]["inplace"] is True
    assert found.modules["main.0"]["stride"] == (2, 2)
    assert found.modules["main.1"]["eps"] == 1e-5
    assert set(found.modules) == {name for name, _ in net.named_modules()}
    assert torch.serialization.get_safe_globals() == before


def test_a_whole_gan_is_taken_apart(tmp_path, net) -> None:
    gan = nn.ModuleDict({"generator": Script(), "discriminator": net})
    found = read(save(gan, tmp_path / "gan.pth"))
    assert found.names == ("generator", "discriminator")
    same(found.network(role="discriminator"), net.state_dict())
    assert found.network("discriminator").modules["main.2"]["negative_slope"] == 0.2
    assert found.network("generator").modules["main.1"]["negative_slope"] == 0.2


@LEGACY
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(tmp_path, training, net, legacy, protocol) -> None:
    found = read(save(training, tmp_path / "a.pth", legacy=legacy, protocol=protocol))
    same(found.network("netD"), net.state_dict())


@LEGACY
def test_views_ties_and_arrays(tmp_path, legacy) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    given = {
        "a.weight": base.t(),
        "b.weight": base[1:3, ::2],
        "c.weight": base,
        "d.weight": torch.ones(2, 1).expand(2, 3),
        "e.weight": torch.empty(0, 3),
        "f.weight": nn.Parameter(base[0]),
        "g": torch.tensor(3),
        "h": torch.tensor([True, False]),
    }
    found = read(save(given, tmp_path / "a.pth", legacy=legacy)).network()
    same(found, {k: v.detach() for k, v in given.items()})
    assert all(t.is_contiguous() for t in found.tensors.values())
    array = np.arange(6, dtype=">f4").reshape(2, 3)
    arrays = read(save({"a.weight": array, "b.weight": np.asfortranarray(array)}, tmp_path / "b.pth", legacy=legacy))
    assert all(torch.equal(t, torch.arange(6.0).reshape(2, 3)) for t in arrays.network().tensors.values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read_as_float32(tmp_path, dtype) -> None:
    weight = torch.linspace(-1, 1, 6).reshape(2, 3).to(dtype)
    found = read(save({"a.weight": weight, "a.count": torch.tensor(3)}, tmp_path / "a.pth"))
    same(found.network(), {"a.weight": weight.float(), "a.count": torch.tensor(3)})
    assert found.notes == (f"the network was stored in {str(dtype)[6:]} and is read as float32",)


def test_bytes_of_a_machine_of_the_other_order(tmp_path) -> None:
    weight = torch.linspace(-1, 1, 6)
    path = save({"a.weight": weight}, tmp_path / "a.pth")
    swapped = {"byteorder": b"big", "data/0": weight.numpy().astype(">f4").tobytes()}
    same(read(rewritten(path, tmp_path / "b.pth", swapped)).network(), {"a.weight": weight})


def test_a_changed_number_is_noted(tmp_path) -> None:
    path = save({"a.weight": torch.ones(8)}, tmp_path / "a.pth")
    raw = path.read_bytes()
    ones = np.ones(8, np.float32).tobytes()
    path.write_bytes(raw.replace(ones, b"\x01" + ones[1:]))
    (note,) = read(path).notes
    assert "the checksum of 1 of its" in note
    assert "data/0" in note


def test_a_link_is_followed(tmp_path, net) -> None:
    link = tmp_path / "latest"
    link.symlink_to(save(net.state_dict(), tmp_path / "net.pth"))
    same(read(link).network(), net.state_dict())


def test_what_is_not_finite_is_for_the_critic_to_say(tmp_path) -> None:
    net = seeded(Script)
    with torch.no_grad():
        net.main[0].weight[0, 0, 0, 0] = torch.nan
    found = read(save(net.state_dict(), tmp_path / "a.pth")).network()
    again = Script()
    again.load_state_dict(dict(found.tensors))
    with pytest.raises(ValueError, match="must be finite, got 1 NaN or infinite values in 'main.0.weight'"):
        Critic(again)


def test_safetensors_of_others(tmp_path, net) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    flat = {f"D.{k}": v for k, v in net.state_dict().items()} | {"G.0.weight": torch.ones(2, 2)}
    save_file({k: v.clone() for k, v in flat.items()}, path, metadata={"author": "somebody"})
    found = read(path)
    assert (found.format, found.facts) == ("safetensors", {"author": "somebody"})
    assert set(found.names) == {"D", "G"}
    assert {k: v.tolist() for k, v in found.network("D").tensors.items()} == {
        k: v.tolist() for k, v in net.state_dict().items()
    }


def test_a_gan_of_this_project_is_for_gan_load(tmp_path) -> None:
    path = bundled("fashion").save(tmp_path / "gan.safetensors")
    with pytest.raises(ValueError, match=r"gan.safetensors was saved by ganexplain .* open it by GAN.load"):
        read(path)


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> tuple[nn.Module, dict[str, pathlib.Path]]:
    """A network and its TorchScript files, scripted and traced."""
    net, folder = seeded(Script), tmp_path_factory.mktemp("script")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.script(net).save(str(folder / "scripted.pt"))
        torch.jit.trace(net, torch.zeros(2, 1, 8, 8)).save(str(folder / "traced.pt"))
        torch.jit.freeze(torch.jit.script(net)).save(str(folder / "frozen.pt"))
    return net, {p.stem: p for p in folder.iterdir()}


@pytest.mark.parametrize("kind", ["scripted", "traced", "frozen"])
def test_torchscript_runs_with_its_gradients(script, kind) -> None:
    net, paths = script
    found = read(paths[kind])
    assert (found.format, found.differentiable) == ("torchscript", True)
    if kind != "frozen":  # whose weights are constants of the program
        same(found.network(), net.state_dict())
    x = torch.linspace(-1, 1, 5 * 64).reshape(5, 1, 8, 8).requires_grad_()
    critic = Critic(copy.deepcopy(found.program))
    (wanted,), (got,) = torch.autograd.grad(net(x).sum(), x), torch.autograd.grad(critic(x).sum(), x)
    torch.testing.assert_close(critic(x), net(x))
    torch.testing.assert_close(got, wanted)


def onnx_file(net: nn.Module, path: pathlib.Path, batch: int | str = "batch", **changes: object) -> pathlib.Path:
    """The same network as ONNX, written by hand so that no exporter is needed."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    state = net.state_dict()
    weights = [numpy_helper.from_array(v.numpy(), k) for k, v in state.items()]
    nodes = [
        helper.make_node("Conv", ["x", "main.0.weight", "main.0.bias"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.2),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "main.3.weight", "main.3.bias"], ["y"], transB=1),
        *changes.get("nodes", ()),
    ]
    sides = [batch, 1, 8, 8]
    ins = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in changes.get("inputs", ("x",))]
    outs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [batch, *s])
        for n, s in changes.get("outputs", {"y": [1]}).items()
    ]
    graph = helper.make_graph(nodes, "g", ins, outs, weights)
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in changes.get("domains", ()))]
    model = helper.make_model(graph, opset_imports=imports, ir_version=9)
    onnx.save(model, str(path), **changes.get("saving", {}))
    return path


@pytest.mark.parametrize("batch", ["batch", 1, 2], ids=["free", "one", "two"])
def test_onnx_gives_the_same_outputs(tmp_path, script, batch) -> None:
    net, x = script[0], torch.linspace(-1, 1, 5 * 64).reshape(5, 1, 8, 8)
    found = read(onnx_file(net, tmp_path / "net.onnx", batch))
    assert (found.format, found.differentiable, found.networks) == ("onnx", False, ())
    assert found.facts["inputs.x"] == (batch, 1, 8, 8)
    assert "no gradients flow through ONNX" in found.notes[0]
    with torch.no_grad():
        torch.testing.assert_close(found.program(x)[:, 0], net(x))
        torch.testing.assert_close(Critic(copy.deepcopy(found.program))(x), net(x))
    assert found.program(x[:0]).shape[0] == 0
    assert list(found.program.parameters()) == []


def test_onnx_says_what_it_cannot(tmp_path, script) -> None:
    found = read(onnx_file(script[0], tmp_path / "net.onnx"))
    with pytest.raises(ValueError, match=r"no gradients flow through an ONNX network; use .*KernelSHAP"):
        found.program(torch.zeros(1, 1, 8, 8, requires_grad=True))
    with pytest.raises(ValueError, match=r"reads inputs \(any, 1, 8, 8\), got \(2, 3, 8, 8\)"):
        found.program(torch.zeros(2, 3, 8, 8))
    with pytest.raises(ValueError, match="holds no weights by name; it is a onnx program"):
        found.network()


def test_onnx_with_several_outputs(tmp_path, script) -> None:
    net, x = script[0], torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)
    found = read(onnx_file(net, tmp_path / "net.onnx", outputs={"c": [64], "y": [1]}))
    assert [o.shape for o in found.program(x)] == [(3, 64), (3, 1)]
    with torch.no_grad():
        torch.testing.assert_close(found.program.only("y")(x)[:, 0], net(x))
    assert "several outputs, c, y" in found.notes[-1]
    with pytest.raises(ValueError, match="unknown output 'z'"):
        found.program.only("z")


def test_onnx_with_an_operation_written_in_the_file(tmp_path, script) -> None:
    import onnx
    from onnx import helper

    path = onnx_file(script[0], tmp_path / "net.onnx", domains=("my.own",))
    model = onnx.load(str(path))
    body = [helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.2)]
    imports = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("my.own", "Leak", ["a"], ["b"], body, imports))
    model.graph.node[1].CopyFrom(helper.make_node("Leak", ["a"], ["b"], domain="my.own"))
    onnx.save(model, str(path))
    x = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(read(path).program(x)[:, 0], script[0](x))


def test_onnx_keeps_its_numbers_beside_it(tmp_path, script) -> None:
    apart = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
    path = onnx_file(script[0], tmp_path / "net.onnx", saving=apart)
    x = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(read(path).program(x)[:, 0], script[0](x))
    (tmp_path / "net.data").unlink()
    with pytest.raises(ValueError, match=r"net.onnx keeps its numbers in 'net.data', which is missing"):
        read(path)


def test_onnx_without_its_runtime(tmp_path, script, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ValueError, match=r"is an ONNX file, which onnxruntime runs; install it: pip install 'ganexplain"
    ):
        read(onnx_file(script[0], tmp_path / "net.onnx"))


def test_the_face_generator_of_the_registry(face_weights) -> None:
    found = read(face_weights)
    weights = found.network(role="generator")
    assert weights.name == "netG_state_dict"
    same(weights, torch.load(face_weights, weights_only=True, map_location="cpu")["netG_state_dict"])
    assert weights.tensors["main.0.weight"].shape == (100, 512, 4, 4)


def test_models_made_by_others(assets) -> None:
    for path in sorted((*assets.glob("*/*.pth"), *assets.glob("*/*.pt"))):
        same(read(path).network(), torch.load(path, weights_only=True, map_location="cpu"))
    oracle = read(assets / "stylegan2-oracle" / "stylegan2_uncond.safetensors")
    assert {"G", "D"} <= set(oracle.names)


def test_the_types_are_frozen(tmp_path, net) -> None:
    found = read(save(net.state_dict(), tmp_path / "a.pth"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.format = "onnx"


def _reconstruct_persistent_obj(meta: object) -> object:
    raise AssertionError(f"this would run the source code in {meta}")


class _Persistent(Net):
    """A module that pickles itself with its source code, as those of StyleGAN2-ADA and StyleGAN3 do."""

    def __reduce__(self) -> object:
        meta = {"type": "class", "version": 6, "module_src": "import os", "class_name": "Net", "state": vars(self)}
        return _reconstruct_persistent_obj, (meta,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles(tmp_path, net, protocol) -> None:
    path = tmp_path / "net.pkl"
    tied = net.state_dict() | {"again": net.state_dict()["head.bias"]}
    path.write_bytes(pickle.dumps({"D": tied, "G": Script(), "epoch": 3}, protocol=protocol))
    found = read(path)
    same(found.network("D"), tied)
    assert list(found.network("G").tensors) == list(Script().state_dict())
    assert found.facts["epoch"] == 3


def test_the_pickles_of_stylegan(tmp_path, monkeypatch) -> None:
    home = types.ModuleType("torch_utils.persistence")
    home._reconstruct_persistent_obj = _reconstruct_persistent_obj
    monkeypatch.setattr(_reconstruct_persistent_obj, "__module__", "torch_utils.persistence")
    monkeypatch.setitem(sys.modules, "torch_utils", types.ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", home)
    net, path = seeded(_Persistent), tmp_path / "network-snapshot.pkl"
    path.write_bytes(
        pickle.dumps({"G": None, "D": net, "G_ema": seeded(Script), "training_set_kwargs": {"xflip": True}})
    )
    found = read(path)
    assert found.names == ("D", "G_ema")
    same(found.network(role="discriminator"), net.state_dict())
    assert found.network("D").modules[""]["class"] == "Net"
    assert found.facts["training_set_kwargs.xflip"] is True


def test_single_numbers_are_no_network_and_folders_of_the_author_are_not_shown(tmp_path, training) -> None:
    best = {"/home/ann/models/epoch=4.ckpt": torch.tensor(0.5), "C:\\ann\\last.v1.ckpt": torch.tensor(0.4)}
    lightning = {
        "state_dict": training["netD_state_dict"],
        "callbacks": {
            "ModelCheckpoint{'monitor': 'loss'}": {"best_k_models": best, "best_model_path": "/home/ann/models/a.ckpt"}
        },
    }
    found = read(save(lightning, tmp_path / "a.ckpt"))
    assert found.names == ("state_dict",)
    assert found.network(role="discriminator").name == "state_dict"
    said = " ".join(found.notes) + str(dict(found.facts))
    assert "epoch=4.ckpt" in said
    assert "last.v1.ckpt" in said
    assert "a.ckpt" in said
    assert "ann" not in said


def test_a_state_dict_saved_without_parentheses_is_read_from_its_module(tmp_path) -> None:
    network = seeded(Net)
    found = read(save(network.state_dict, tmp_path / "D.pt"))
    whole = read(save(network, tmp_path / "whole.pt"))
    assert any("without parentheses" in note for note in found.notes)
    assert not any("without parentheses" in note for note in whole.notes)
    assert found.network().tensors.keys() == network.state_dict().keys() == whole.network().tensors.keys()
    for name, tensor in found.network().tensors.items():
        assert torch.equal(tensor, network.state_dict()[name])
