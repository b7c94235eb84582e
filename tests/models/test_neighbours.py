"""Networks that compare the images of a batch: each image is judged alone, and everybody else's batch stays whole."""

import pytest
import torch
from torch import nn

from ganexplain import Critic, GradCam, IntegratedGradients, KernelShap
from ganexplain.models import neighbours
from tests._critics import Net, Seen, images

X = images(5)


class Compares(nn.Module):
    """Adds the deviation over the batch, and notes the batches."""

    def __init__(self, size=3.0):
        super().__init__()
        self.net, self.size, self.seen = Net(), size, Seen()

    def forward(self, x):
        self.seen.batches.append(len(x))
        return self.net(x) + self.size * (x.var(0, unbiased=False) + 1e-8).sqrt().mean()


class Noisy(Compares):
    def forward(self, x):
        self.seen.batches.append(len(x))
        return self.net(x) + torch.randn(len(x), 1)


def test_each_image_is_judged_as_if_alone():
    critic = Critic(Compares())
    alone = torch.cat([critic.logits(x[None]) for x in X])
    assert torch.equal(critic.logits(X), alone)
    assert float((critic.together().logits(X) - alone).abs().min()) > 0.1


@pytest.mark.parametrize("network", [Compares(0.0), Noisy(), Net()])
def test_a_batch_stays_whole_where_neighbours_do_not_matter(network):
    critic = Critic(network)
    assert not critic.judges_alone(X)
    if hasattr(network, "seen"):
        network.seen.batches.clear()
        critic.logits(X)
        assert network.seen.batches == [5]


def test_one_try_serves_every_form_of_a_critic():
    network = Compares()
    critic = Critic(network)
    critic.with_reference(X).fast(X)
    before = len(network.seen.batches)
    critic.judges_alone(X)
    assert len(network.seen.batches) == before


def test_the_try_takes_what_it_says_and_never_a_larger_batch_than_given():
    network = Compares()
    neighbours.matter(network, X)
    assert network.seen.rows == neighbours.LOOKS
    network.seen.batches.clear()
    Critic(network).logits(X, batch_size=1)
    assert set(network.seen.batches) == {1}


@pytest.mark.parametrize("kind", [IntegratedGradients, KernelShap, GradCam])
def test_maps_do_not_depend_on_neighbours_and_say_so(kind):
    method = kind(Critic(Compares()), baseline="black")
    with pytest.warns(UserWarning, match="each image is judged alone"):
        many = method.attribute(X)
    for image, values in zip(X, many.values, strict=True):
        with pytest.warns(UserWarning, match="each image is judged alone"):
            one = method.attribute(image[None]).values[0]
        torch.testing.assert_close(values, one, rtol=1e-5, atol=1e-6)


def test_outputs_that_have_no_rows_are_left_to_the_critic():
    with pytest.raises(ValueError, match="one number for all; keep the axis of the batch"):
        Critic(lambda x: x.mean()).logits(X)
    with pytest.raises(TypeError, match="must return a tensor, got tuple"):
        Critic(lambda x: (x, x)).logits(X)


def test_one_image_may_lose_the_axis_of_the_batch():
    net = Net().eval()
    squeezed = Critic(lambda x: net(x).squeeze())
    torch.testing.assert_close(squeezed.logits(X[:1]), Critic(net).logits(X[:1]))
    torch.testing.assert_close(squeezed.logits(X), Critic(net).logits(X))
