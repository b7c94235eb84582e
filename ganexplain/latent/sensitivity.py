"""How a generator's images answer to small changes of the code: derivatives in forward mode."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import jvp, vmap

from ganexplain import tensors
from ganexplain.models.generator import Generator

PIXELS = 2**15  # that are converted to float64 at once

Tangents = Callable[[Tensor, Tensor], Tensor]


class Pushforward:
    """Derivatives of the images along directions of the code, exact and without a backward pass.

    A generator has few inputs and many outputs, so that forward mode costs one forward a direction where reverse mode
    costs one a pixel. `torch.func.vmap` runs the code once for all directions; a module that it has no rule for is run
    on copies of the code instead, which takes about twice as long.

    Args:
        generator: in eval mode; left as it is.
        space: of the codes.
        batch_size: the most directions at once.
        seed: of the noise that a generator may draw in its forward: the same for every direction.
    """

    def __init__(self, generator: Generator, space: str, *, batch_size: int, seed: int = 0) -> None:
        self.generator, self.space = generator, space
        self.batch_size, self.seed = batch_size, seed
        self._how: Tangents | None = None
        with warnings.catch_warnings():  # torch warns of its own code when forward mode is first used
            warnings.simplefilter("ignore", DeprecationWarning)
            jvp(torch.neg, (torch.zeros(1),), (torch.ones(1),))

    def __call__(self, code: Tensor, directions: Tensor) -> Tensor:
        """(T, P) what the P numbers of the image of ``code`` (d,) change by per unit along ``directions`` (T, d).

        Raises:
            ValueError: part of the generator has no derivative in forward mode.
        """
        pieces = [self._run(code, piece) for piece in torch.split(directions, self.batch_size)]
        return torch.cat(pieces)

    def _run(self, code: Tensor, directions: Tensor) -> Tensor:
        with torch.no_grad(), tensors.isolated(self.seed):
            if self._how is not None:
                return self._how(code, directions)
            try:
                found = self._mapped(code, directions)
                self._how = self._mapped
            except (
                RuntimeError
            ):  # how functorch says that it has no rule; a mistake of the forward's own comes back below
                found = self._copied(code, directions)
                self._how = self._copied
            return found

    def _images(self, codes: Tensor) -> Tensor:
        return self.generator.form.scaled(self.generator.synthesize(codes, self.space))

    def _mapped(self, code: Tensor, directions: Tensor) -> Tensor:
        def along(direction: Tensor) -> Tensor:
            moved: Tensor = jvp(self._images, (code[None],), (direction[None],))[1]
            return moved

        return vmap(along, randomness="same")(directions).flatten(1)

    def _copied(self, code: Tensor, directions: Tensor) -> Tensor:
        try:
            with forward_ad.dual_level():
                codes = forward_ad.make_dual(code.repeat(len(directions), 1), directions)  # type: ignore[no-untyped-call]
                images, moved = forward_ad.unpack_dual(self._images(codes))  # type: ignore[no-untyped-call]
        except RuntimeError as error:  # the forward itself has run before, so that it is the derivative that failed
            said = " ".join(str(error).split())[:200]
            raise ValueError(
                f"part of the generator has no derivative in forward mode ({said}); give its autograd function a jvp, "
                "or use the finder 'ganspace', which needs no derivatives"
            ) from error
        return torch.zeros_like(images).flatten(1) if moved is None else moved.flatten(1)


def gram(push: Pushforward, code: Tensor) -> Tensor:
    """(d, d) J^T J at one code (d,), float64 on the CPU; J holds the derivative of every pixel by every number.

    J itself is held in the generator's precision: d images. Only pieces of it are converted, so that float64 costs no
    second copy.
    """
    J = push(code, torch.eye(len(code)).to(code))
    product = torch.zeros(len(J), len(J), dtype=torch.float64)
    for pixels in torch.split(J, PIXELS, dim=1):
        product += (pixels.double() @ pixels.double().T).cpu()
    return product
