"""StyleGAN2: the same numbers as its formulas spelled out, as the official code's, and in every latent space."""

import copy
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ganexplain import Critic, Generator, tensors
from ganexplain.latent.finders.ganspace import GanSpace
from ganexplain.latent.finders.jacobian import Jacobian
from ganexplain.latent.finders.sefa import SeFa
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _stylegan2_generator as made
from ganexplain.models.foreign import recognised
from ganexplain.models.foreign.stylegan2 import StyleGAN2
from ganexplain.models.spec import GeneratorSpec, Spec
from tests.models.foreign import _stylegan2 as formulas

ASSETS = os.environ.get("GANEXPLAIN_ASSETS")
needs_assets = pytest.mark.skipif(not ASSETS, reason="GANEXPLAIN_ASSETS names no folder with other people's weights")
FORMS = ("skip", "resnet", "orig")
CODES = tensors.normal(0, "codes", shape=(3, formulas.Z_DIM))
IMAGES = tensors.normal(0, "images", shape=(8, formulas.COLOURS, 16, 16)).clamp(-1, 1)


def opened(state, **options):
    found = StyleGAN2().read(Weights("", state), Spec(architecture=options))
    found.network.requires_grad_(False)
    return found


def close(found, expected, tolerance=1e-5):
    return float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())


@pytest.mark.parametrize("classes", [0, formulas.CLASSES])
@pytest.mark.parametrize("form", FORMS)
def test_generators_draw_what_the_formulas_say(form, classes):
    state = formulas.generator(form, classes)
    found = opened(state)
    network = found.network
    assert (found.layout, found.role, found.num_classes) == ("stylegan2", "generator", classes)
    assert (network.architecture, network.resolution, network.channels) == (form, 16, formulas.COLOURS)
    label = 2 if classes else None
    labels = torch.full((3,), 2) if classes else None
    w = formulas.mapped(state, CODES, label, psi=0.6)
    assert close(network.encode(CODES, "w", labels=labels, truncation_psi=0.6), w)
    expected = formulas.drawn(state, w)
    raw = network.synthesis(network.encode(w.float(), "s", source="w"))
    assert close(raw, expected)
    assert close(network.synthesize(w.float(), "w"), expected.clamp(-1, 1))
    silent = opened(state, noise="none").network
    assert close(silent.synthesis(silent.encode(w.float(), "s", source="w")), formulas.drawn(state, w, noisy=False))


@pytest.mark.parametrize("classes", [0, formulas.CLASSES])
@pytest.mark.parametrize("form", FORMS)
def test_discriminators_judge_as_the_formulas_say(form, classes):
    state = formulas.discriminator(form, classes, deviations=2)
    found = opened(state)
    assert (found.layout, found.role, found.num_classes) == ("stylegan2", "discriminator", classes)
    assert found.network.architecture == form
    assert found.spec.images.size == 16
    label = 1 if classes else None
    for n, group in ((8, 4), (6, 3), (1, 1)):
        labels = torch.full((n,), 1) if classes else None
        expected = formulas.judged(state, IMAGES[:n], label, group)
        assert close(found.network(IMAGES[:n], labels)[:, 0], expected)
    labels = torch.full((8,), 1) if classes else None
    paired = opened(state, group=2).network(IMAGES, labels)[:, 0]
    assert close(paired, formulas.judged(state, IMAGES, label, 2))


@pytest.mark.parametrize("form", FORMS)
def test_no_other_layout_claims_them(form):
    G, D = formulas.generator(form), formulas.discriminator(form)
    ports = [formulas.ported_generator(G)] if form == "skip" else []
    ports += [formulas.ported_discriminator(D)] if form == "resnet" else []
    for state in (G, D, *ports):
        assert recognised(Weights("", state), Spec()).layout == "stylegan2"


def test_the_port_by_rosinality_is_the_same_network():
    state = formulas.generator("skip")
    state["synthesis.b8.conv1.weight"] *= 3e-6  # so small that the epsilon of the demodulation shows
    port = opened(formulas.ported_generator(state))
    assert "rosinality" in port.lines[0]
    w = formulas.mapped(state, CODES, None)
    assert close(port.network.encode(CODES, "w"), w)
    assert close(port.network.synthesis(port.network.encode(CODES, "s")), formulas.drawn(state, w))
    many = formulas.mapped(state, tensors.normal(1, "others", shape=(20_000, formulas.Z_DIM)), None)
    error = (port.network.w_avg - many.mean(0)).abs() / many.std(0)
    assert float(error.max()) < 5 / made.AVERAGED**0.5
    assert any("average w" in line for line in port.lines)
    state = formulas.discriminator("resnet")
    judge = opened(formulas.ported_discriminator(state)).network
    assert close(judge(IMAGES)[:, 0], formulas.judged(state, IMAGES))


def test_activations_are_cut_as_in_the_official_training():
    state = formulas.discriminator("resnet")
    network = opened(state, clamp=0.5).network
    seen = []
    for name in ("b16.conv0", "b16.conv1", "b4.conv"):
        network.get_submodule(name).register_forward_hook(lambda _m, _i, out: seen.append(float(out.abs().max())))
    network(IMAGES)
    assert seen == pytest.approx([0.5, 0.5 * 0.5**0.5, 0.5])
    skipping = opened(formulas.discriminator("skip"), clamp=0.5).network
    for name in ("b8.fromrgb", "b4.fromrgb"):  # which is not cut
        skipping.get_submodule(name).register_forward_hook(lambda _m, _i, out: seen.append(float(out.abs().max())))
    skipping(IMAGES)
    assert seen[3] == 0.5
    assert seen[4] > 0.6
    assert not torch.equal(network(IMAGES), opened(state).network(IMAGES))
    assert opened(state).spec.architecture["clamp"] == 256
    assert opened(formulas.ported_discriminator(state)).spec.architecture["clamp"] == 0


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_a_code_gives_one_image_in_all_spaces(space):
    network = opened(formulas.generator("skip")).network
    codes = network.encode(CODES, space)
    assert codes.shape == (3, network.width(space))
    torch.testing.assert_close(network.synthesize(codes, space), network(CODES))
    for further in network.spaces[network.spaces.index(space) :]:
        torch.testing.assert_close(network.encode(codes, further, source=space), network.encode(CODES, further))


def test_layers_of_w_plus_and_channels_of_s():
    state = formulas.generator("skip")
    network = opened(state).network
    layers = formulas.mapped(state, tensors.normal(2, "z", shape=(6, formulas.Z_DIM)), None)[None].float()
    raw = network.synthesis(network.encode(layers.flatten(1), "s", source="w+"))
    assert close(raw, formulas.drawn(state, layers))
    assert network.num_ws == 6
    names = ["b4.conv1", "b4.torgb", "b8.conv0", "b8.conv1", "b8.torgb", "b16.conv0", "b16.conv1", "b16.torgb"]
    assert list(network.s_slices) == [f"synthesis.{name}" for name in names]
    part = network.s_slices["synthesis.b16.conv0"]
    affine = state["synthesis.b16.conv0.affine.weight"], state["synthesis.b16.conv0.affine.bias"]
    styles = layers[:, 3] @ affine[0].T / formulas.W_DIM**0.5 + affine[1]
    torch.testing.assert_close(network.encode(layers.flatten(1), "s", source="w+")[:, part], styles)


def test_truncation_leads_to_the_average():
    state = formulas.generator("skip")
    network = opened(state).network
    average = state["mapping.w_avg"].expand(3, -1)
    torch.testing.assert_close(network.encode(CODES, "w", truncation_psi=0.0), average)
    torch.testing.assert_close(network.encode(CODES, "w+", truncation_psi=0.0), average.repeat(1, 6))
    w, plus = network.encode(CODES, "w"), network.encode(CODES, "w+")
    half = network.encode(CODES, "w+", truncation_psi=0.5)
    torch.testing.assert_close(network.encode(w, "w+", source="w", truncation_psi=0.5), half)
    torch.testing.assert_close(network.encode(plus, "w+", source="w+", truncation_psi=0.5), half)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_the_first_layer_moves_all_styles(space):
    network = opened(formulas.generator("skip")).network
    codes = network.encode(CODES, space)
    step = tensors.normal(3, "step", shape=tuple(codes.shape))
    moved = network.encode(codes + step, "s", source=space) - network.encode(codes, "s", source=space)
    torch.testing.assert_close(step @ network.first_layer(space).weight.T, moved, rtol=1e-4, atol=1e-5)


def test_the_first_layer_in_z_reads_no_class():
    state = formulas.generator("skip", formulas.CLASSES)
    network = opened(state).network.given(0)
    caught = []
    network.mapping.get_submodule("fc0").register_forward_hook(lambda _m, _i, out: caught.append(out))
    for z in CODES[:2]:
        network.encode(z[None], "w")
    unit = CODES[:2] / CODES[:2].square().mean(1, keepdim=True).sqrt()
    expected = (unit[1] - unit[0]) @ network.first_layer("z").weight.T
    torch.testing.assert_close(caught[1][0] - caught[0][0], expected)
    with pytest.raises(ValueError, match="a code in s meets no linear layer"):
        network.first_layer("s")


def test_finders_work_in_w():
    state = formulas.generator("skip")
    network = opened(state).network
    affine = [t.double() for name, t in state.items() if name.endswith("affine.weight")]
    gram = sum(a.T @ a for a in affine) / formulas.W_DIM
    sefa = SeFa(space="w", n_directions=2).fit(network)
    np.testing.assert_allclose(sefa.eigenvalues_, np.linalg.eigvalsh(gram)[::-1], rtol=1e-4)
    found = GanSpace(space="w", n_directions=2, n_samples=500).fit(network)
    assert found.directions_.vectors.shape == (2, formulas.W_DIM)
    assert found.layer_ is None
    w = network.encode(network.sample(2000, seed=5), "w").double().T.numpy()
    main = np.linalg.eigh(np.cov(w))[1][:, -1]
    assert abs(found.directions_.vectors[0].double().numpy() @ main) > 0.95
    jacobian = Jacobian(space="w", n_directions=2).fit(network, codes=network.encode(CODES[:1], "w"))
    code, step = network.encode(CODES[:1], "w").double(), 1e-6 * torch.eye(formulas.W_DIM).double()
    exact = copy.deepcopy(network).double()
    J = (exact.synthesize(code + step, "w") - exact.synthesize(code - step, "w")).flatten(1) / 2e-6
    torch.testing.assert_close(jacobian.eigenvalues_[:2], torch.linalg.svdvals(J)[:2] ** 2, rtol=1e-3, atol=1e-6)


def test_a_critic_judges_each_image_alone(tmp_path):
    state = formulas.discriminator("resnet", formulas.CLASSES)
    both = {f"D.{k}": v for k, v in state.items()} | {f"G.{k}": v for k, v in formulas.generator("skip").items()}
    save_file({k: v.contiguous() for k, v in both.items()}, tmp_path / "gan.safetensors")
    critic = Critic.from_checkpoint(tmp_path / "gan.safetensors", spec=Spec(label=1))
    alone = torch.cat([formulas.judged(state, image[None], 1, 1) for image in IMAGES])
    assert close(critic.logits(IMAGES), alone)
    assert critic.judges_alone(IMAGES)
    assert not close(critic.together().logits(IMAGES), alone, 1e-3)
    drawn = Generator.from_checkpoint(tmp_path / "gan.safetensors")
    assert drawn.spaces == ("z", "w", "w+", "s")
    assert "images" in drawn.about.unknown["generator.range"]


def test_a_class_is_drawn():
    state = formulas.generator("skip", formulas.CLASSES)
    network = opened(state).network
    with pytest.raises(ValueError, match="draws an image of a class; say which"):
        network.synthesize(CODES)
    expected = formulas.drawn(state, formulas.mapped(state, CODES, 1)).clamp(-1, 1)
    assert close(network.given(1).synthesize(CODES), expected)
    with pytest.raises(ValueError, match="judges an image given its class; give labels, 0 to 2"):
        opened(formulas.discriminator("orig", formulas.CLASSES)).network(IMAGES)


def test_large_images_are_drawn_a_few_at_a_time(monkeypatch):
    network = opened(formulas.generator("orig")).network
    expected = network.render(CODES)
    batches = []
    monkeypatch.setattr(made, "MAPS", 2 * formulas.WIDTHS[16] * 16 * 16)
    network.synthesis.register_forward_hook(lambda _m, _i, out: batches.append(len(out)))
    torch.testing.assert_close(network.render(CODES), expected)
    assert batches == [2, 1]


def test_opening_leaves_the_file_and_the_random_state_alone():
    state = formulas.generator("skip")
    before, random = {k: v.clone() for k, v in state.items()}, torch.get_rng_state()
    network = opened(state).network
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            value.zero_()
    assert all(torch.equal(state[k], v) for k, v in before.items())
    assert torch.equal(torch.get_rng_state(), random)
    halves = opened({k: v.half() for k, v in state.items()}).network
    assert {v.dtype for v in halves.state_dict().values()} == {torch.float32}


def test_a_spec_goes_before_what_is_usual():
    state = formulas.generator("skip")
    spec = Spec(generator=GeneratorSpec(prior="sphere", range=(0, 1)), architecture={"mapping_lr": 0.02})
    found = recognised(Weights("", state), spec)
    assert (found.network.prior, found.spec.generator.range) == ("sphere", (0.0, 1.0))
    assert found.spec.architecture == {"mapping_lr": 0.02, "slope": 0.2, "clamp": 256, "group": 4, "noise": "const"}
    usual = opened(state).network
    assert not torch.allclose(found.network.encode(CODES, "w"), usual.encode(CODES, "w"))
    codes = usual.encode(CODES, "s")
    raw = usual.synthesis(codes)
    torch.testing.assert_close(found.network.synthesize(codes, "s"), (2 * raw - 1).clamp(-1, 1))


def without(state, *names):
    return {k: v for k, v in state.items() if k not in names}


G, D = formulas.generator("skip"), formulas.discriminator("resnet")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (without(G, "synthesis.b8.conv0.bias"), "needs a tensor 'synthesis.b8.conv0.bias', and the file has none"),
        ({**G, "synthesis.b8.extra": torch.zeros(2)}, "has no place for synthesis.b8.extra (2,)"),
        ({**G, "synthesis.b8.conv1.weight": torch.zeros(5, 4, 3, 3)}, "must have the shape (any, 5, 3, 3), got (5, 4"),
        ({k: v for k, v in G.items() if ".b8." not in k}, "this file has blocks of the sizes [4, 16]"),
        ({**D, "b4.conv.weight": torch.zeros(6, 5, 3, 3)}, "b4.conv reads 5 maps, and the block before makes 6"),
        ({**D, "b8.skip.resample_filter": torch.zeros(12)}, "resample_filter must have the shape (4, 4), got (12,)"),
        ({"mapping.fc0.weight": G["mapping.fc0.weight"], "synthesis.L0_36_512.weight": torch.zeros(2, 2)}, "StyleGAN3"),
        ({"synthesis.input.freqs": torch.zeros(2, 2)}, "StyleGAN3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(state, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        StyleGAN2().read(Weights("", state), Spec())


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (Spec(generator=GeneratorSpec(z_dim=9)), "z_dim says 9, and this network reads codes of 7 numbers"),
        (Spec(architecture={"noise": "random"}), "unknown [architecture] noise 'random'"),
        (Spec(architecture={"clamp": -1}), "clamp must be a number of at least 0 (0 for none), got -1"),
        (Spec(architecture={"group": 0}), "group must be at least 1"),
        (Spec(architecture={"slop": 0.1}), "did you mean 'slope'?"),
    ],
)
def test_a_spec_that_does_not_fit_is_named(spec, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        StyleGAN2().read(Weights("", G), spec)


def test_codes_on_the_wrong_way_are_named():
    network = opened(G).network
    w = network.encode(CODES, "w")
    with pytest.raises(ValueError, match=r"from left to right .*, got from 'w' to 'z'"):
        network.encode(w, "z", source="w")
    with pytest.raises(ValueError, match=r"codes in z must have the shape \(N, 7\), got \(3, 6\); are they of another"):
        network.synthesize(w)
    with pytest.raises(ValueError, match="truncation_psi works in w, and there is none from 'z' to 'z'"):
        network.encode(CODES, "z", truncation_psi=0.5)


def test_other_networks_are_left_to_others():
    assert StyleGAN2().read(Weights("", {"main.0.weight": torch.zeros(4, 3, 4, 4)}), Spec()) is None


@needs_assets
@pytest.mark.parametrize("kind", ["uncond", "cond"])
def test_the_official_code_s_numbers(kind):
    state = load_file(Path(ASSETS) / "stylegan2-oracle" / f"stylegan2_{kind}.safetensors")
    G, D, io = ({k[len(p) :]: v for k, v in state.items() if k.startswith(p)} for p in ("G.", "D.", "io."))
    labels = io["c"].argmax(1) if kind == "cond" else None
    network, judge = opened(G).network, opened(D).network
    w = network.encode(io["z"], "w+", labels=labels, truncation_psi=0.7)
    torch.testing.assert_close(w, io["w_psi0.7"].flatten(1), atol=1e-5, rtol=0)
    images = network.synthesis(network.encode(w, "s", source="w+"))
    torch.testing.assert_close(images, io["image_noise_const"], atol=1e-4, rtol=0)
    silent = opened(G, noise="none").network
    torch.testing.assert_close(
        silent.synthesis(silent.encode(w, "s", source="w+")), io["image_noise_none"], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(judge(io["image_noise_const"], labels), io["logits_batch8"], atol=1e-4, rtol=0)
    rows = [
        (image[None], None if labels is None else labels[i : i + 1]) for i, image in enumerate(io["image_noise_const"])
    ]
    torch.testing.assert_close(torch.cat([judge(*row) for row in rows]), io["logits_single"], atol=1e-4, rtol=0)
