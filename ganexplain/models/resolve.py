"""From the words of a command line to a model: a bundled GAN, a saved one, or what a factory in Python code returns."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ganexplain.models.class_names import numbered

if TYPE_CHECKING:  # the command line reads HELP from here and must not wait for torch
    from ganexplain.models.critic import Critic
    from ganexplain.models.gan import GAN
    from ganexplain.models.generator import Generator
    from ganexplain.models.spec import Spec

    Model = GAN | Generator | Critic

HELP = (
    "bundled:NAME, a saved GAN, anybody's file of weights (.pt, .pth, .ckpt, .safetensors, TorchScript, .onnx), or a "
    "factory that returns a Critic, Generator or GAN: file.py:factory or package.module:factory. A factory is code and "
    "is run: name only files that you trust. No Python in a file of weights is run."
)
FORMS = "bundled:fashion, runs/gan.safetensors, netD.pth, file.py:factory or package.module:factory"
SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".tar", ".bin", ".pkl", ".pickle", ".onnx", ".ts")


def resolve(model: str, spec: Spec | None = None, role: str | None = None) -> Model:
    """The model that ``model`` names.

    Running a factory is running somebody's code with your rights: name only files that you trust. Saved GANs and files
    of weights are plain numbers, and nothing in them is run.

    Args:
        model: "bundled:fashion"; the path of a file of `GAN.save` or of anybody's weights; "file.py:factory" or
            "package.module:factory", where the factory takes no arguments and returns a `Critic`, `Generator` or `GAN`.
        spec: what a file of weights does not say; of any other model it can say the class alone.
        role: "discriminator" or "generator", which to take from a file of weights that holds both; None takes the
            discriminator where there is one.

    Raises:
        FileNotFoundError: there is no such file or module.
        ValueError: another form, no such factory, or the factory raised (that error is chained).
        TypeError: the factory is no callable without arguments, or returned something else.
    """
    model = model.strip()
    head, colon, name = model.rpartition(":")
    if not colon or Path(model).exists():
        return _of_file(Path(model), model, spec, role)
    _check_label_only(spec, f"{model!r} is no file")
    return _standing(_named(head, name, model), spec)


def _named(head: str, name: str, model: str) -> Model:
    """What "head:name" names."""
    if head == "bundled":
        from ganexplain.models.gan import bundled

        return bundled(name)
    if head.endswith(".py"):
        with _importing_from(Path(head).resolve().parent):
            return _made_by(_module_of_file(Path(head)), name, model)
    if name.isidentifier() and all(part.isidentifier() for part in head.split(".")):
        with _importing_from(Path.cwd()):  # as `python -m` does
            return _made_by(_module_of_name(head), name, model)
    raise ValueError(f"unknown model {model!r} (a model is {FORMS})")


def _check_label_only(spec: Spec | None, why: str) -> None:
    """Raise if more than a class is said of what says all else itself."""
    from ganexplain.models.spec import Spec

    if spec is not None and spec != Spec(label=spec.label):
        raise ValueError(
            f"--layout, --network and --spec say what a file of weights does not, and {why}; leave them out"
        )


def _standing(model: Model, spec: Spec | None) -> Model:
    """The model at the class that was said, if one was."""
    from ganexplain.models.generator import Generator

    if spec is None or spec.label is None:
        return model
    if isinstance(model, Generator):
        return model.given(numbered(spec.label, model.num_classes, what="generator"))
    return model.given(spec.label)


def critic_of(model: str | Model, which: str = "judge", spec: Spec | None = None) -> Critic:
    """The critic of a model; of a GAN its ``which`` ("judge" or "discriminator"); see `resolve` for ``spec``.

    Raises:
        ValueError: the model is a generator, which judges nothing, or has no such critic; a conditional GAN and no
            class.
    """
    from ganexplain.models.critic import Critic
    from ganexplain.models.gan import GAN

    found = resolve(model, spec, "discriminator") if isinstance(model, str) else model
    if isinstance(found, GAN):
        return found.critic(which)
    if isinstance(found, Critic):
        return found
    raise ValueError("this model is a Generator, which judges nothing; name a factory that returns a Critic, or a GAN")


def generator_of(model: str | Model, spec: Spec | None = None) -> Generator:
    """The generator of a model; see `resolve` for ``spec``.

    Raises:
        ValueError: the model is a critic, which makes no images; a conditional GAN and no class.
    """
    from ganexplain.models.gan import GAN
    from ganexplain.models.generator import Generator

    found = resolve(model, spec, "generator") if isinstance(model, str) else model
    if isinstance(found, GAN):
        return found.at(None).generator
    if isinstance(found, Generator):
        return found
    raise ValueError("this model is a Critic, which makes no images; name a factory that returns a Generator, or a GAN")


@contextlib.contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """A factory and its file may import their neighbours, as a script may."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def _of_file(path: Path, model: str, spec: Spec | None, role: str | None) -> Model:
    if path.suffix == ".py":
        raise ValueError(f"{path} needs the name of a factory in it: {path}:factory")
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
        hint = f"; did you mean {inside[0]}?" if inside else ""
        raise ValueError(f"{path} is a folder, expected a file of weights{hint}")
    if not path.is_file() and path.suffix not in SUFFIXES:
        known = f"; did you mean 'bundled:{model}'?" if model in _bundled() else ""
        raise ValueError(f"unknown model {model!r}{known} (a model is {FORMS})")
    if _is_saved_gan(path):
        from ganexplain.models.gan import GAN

        _check_label_only(spec, f"{path} is a GAN saved by ganexplain, which says all of itself")
        return _standing(GAN.load(path), spec)
    from ganexplain.models.opening import open_critic, open_generator, open_model

    opened = {None: open_model, "discriminator": open_critic, "generator": open_generator}[role]
    return opened(path, spec)


def _bundled() -> list[str]:
    return [p.stem for p in (Path(__file__).parent / "bundled").glob("*.safetensors")]


def _is_saved_gan(path: Path) -> bool:
    """Whether the file has the metadata of this project's own safetensors files."""
    from ganexplain.store import is_own

    return path.is_file() and path.suffix == ".safetensors" and is_own(path)


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    name = f"_ganexplain_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses look their module up here
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise ValueError(f"{path} could not be run: {_told(error)}") from error
    return module


def _module_of_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}.")
        if not missing:
            raise ValueError(f"the module {name} could not be imported: {_told(error)}") from error
    near = "; did you mean 'bundled:'?" if difflib.get_close_matches(name, ["bundled"]) else ""
    raise FileNotFoundError(f"no module {name!r} can be imported{near} (a model is {FORMS})")


def _made_by(module: ModuleType, name: str, model: str) -> Model:
    from ganexplain.models.critic import Critic
    from ganexplain.models.gan import GAN
    from ganexplain.models.generator import Generator

    factory = _factory(module, name)
    try:
        made = factory()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"the factory {model} needs a file: {error}") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"the factory {model} raised {_told(error)}") from error
    if isinstance(made, (GAN, Generator, Critic)):
        return made
    hint = ""
    if callable(made):
        hint = "; wrap it: Critic(network, ...) or Generator.wrap(network, z_dim=...)"
    raise TypeError(f"the factory {model} must return a Critic, Generator or GAN, got {type(made).__name__}{hint}")


def _factory(module: ModuleType, name: str) -> Callable[[], object]:
    own = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", None) == module.__name__]
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, own, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        public = ", ".join(n for n in own if not n.startswith("_")) or "no functions"
        raise ValueError(f"{module.__file__ or module.__name__} has no {name!r}{hint} (it has: {public})")
    factory = getattr(module, name)
    if not callable(factory):
        raise TypeError(f"{name!r} must be a function without arguments, got {type(factory).__name__}")
    found: Callable[[], object] = factory
    return found


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


__all__ = ["HELP", "critic_of", "generator_of", "resolve"]
