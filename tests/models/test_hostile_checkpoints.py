"""Files that are damaged, mistaken or made to harm: each is refused by name, with the way out, and runs nothing."""

import builtins
import os
import pathlib
import random
import struct
import subprocess
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from ganexplain.models.checkpoints import machine as machine_module
from ganexplain.models.checkpoints import read
from tests.models._files import Canary, Net, Runs, Script, part, rewritten, save, seeded
from tests.models.test_checkpoints import onnx_file

LEGACY = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
WEIGHTS = {"0.weight": torch.ones(2, 2)}


def refused(path: pathlib.Path, *words: str) -> str:
    """The one sentence with which a file is refused; it names the file and says each of the words."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are checked below
        read(path)
    said = str(caught.value)
    assert type(caught.value) is ValueError
    assert said.startswith(str(path))
    assert "\n" not in said
    for word in words:
        assert word in said, said
    return said


def pickled(tmp_path: pathlib.Path, body: bytes) -> pathlib.Path:
    """An archive of torch.save with another description."""
    whole = save(WEIGHTS, tmp_path / "whole.pth")
    return rewritten(whole, tmp_path / "made.pth", {"data.pkl": body})


CODE = {
    "posix.system": lambda canary: Runs(os.system, f"touch {canary}"),
    "builtins.exec": lambda canary: Runs(exec, f"open({str(canary)!r}, 'w')"),
    "builtins.eval": lambda canary: Runs(eval, f"open({str(canary)!r}, 'w')"),
    "subprocess.Popen": lambda canary: Runs(subprocess.Popen, ["touch", str(canary)]),
    "io.open": lambda canary: Runs(open, str(canary), "w"),
    "torch.save": lambda canary: Runs(torch.save, 1, str(canary)),
    "torch.hub.load": lambda canary: Runs(torch.hub.load, "a/b", "c"),
    "builtins.__import__": lambda canary: Runs(builtins.__import__, "antigravity"),
}


@LEGACY
@pytest.mark.parametrize("nest", [lambda x: x, lambda x: {**WEIGHTS, "a": [{"b": (x,)}]}, lambda x: [[x], WEIGHTS]])
@pytest.mark.parametrize("name", CODE)
def test_code_is_refused_by_name(tmp_path, name, nest, legacy) -> None:
    canary = tmp_path / "canary"
    path = save(nest(CODE[name](canary)), tmp_path / "evil.pth", legacy=legacy)
    refused(path, name.replace("torch.save", "torch.serialization.save"), "torch.save(net.state_dict(), path)")
    assert not canary.exists()


@LEGACY
def test_what_looks_like_a_class_is_described_and_not_made(tmp_path, legacy) -> None:
    canary = tmp_path / "canary"
    path = save({"state_dict": WEIGHTS, "extra": Runs(Canary, str(canary))}, tmp_path / "a.pth", legacy=legacy)
    assert read(path).names == ("state_dict",)
    assert not canary.exists()
    torch.load(path, weights_only=False)  # the canary does sing where code is run
    assert canary.exists()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"\x80\x02cos\nsystem\n0}.", "os.system"),  # mentioned, not called
        (b"\x80\x02(S'touch x'\nios\nsystem\n.", "os.system"),
        (b"\x80\x02(cos\nsystem\nS'touch x'\no.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93)R.", "os.system"),
        (b"\x80\x02ccommands\ngetoutput\n)R.", "subprocess.getoutput"),  # the name of Python 2
        (b"\x80\x02curllib\nurlopen\n)R.", "urllib.request.urlopen"),
        (b"\x80\x02cbuiltins\ngetattr\n(cmymodule\nThing\nX\x03\x00\x00\x00runtR)R.", "mymodule.Thing.run"),
        (b"\x80\x02cnumpy.testing\nrunstring\n)R.", "numpy.testing.runstring"),
        (b"\x80\x02cmymodule\nThing\n)R)R.", "calls something that has no name"),
        (b"\x80\x02K\x01)\x81.", "no class"),
        (b"\x80\x02\x82\x01.", "instruction EXT1"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "no storage"),
        (b"\x80\x02K\x01K\x02a.", "appends to a int"),
        (b"\x80\x02]K\x01K\x02s.", "assigns to a list"),
        (b"\x80\x02}", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"", "damaged"),
    ],
)
def test_descriptions_made_by_hand(tmp_path, body, word) -> None:
    refused(pickled(tmp_path, body), word)


DEEP = {
    "dictionaries": b"}K\x00" * 100_000 + b"}" + b"s" * 100_000,
    "lists": b"]" * 20_000 + b"a" * 19_999,
    "tuples": b")" + b"\x85" * 20_000,
    "tuples as keys": b"})" + b"\x85" * 20_000 + b"}s",
    "objects": b"cmymodule\nThing\n)\x81}K\x00" * 5_000 + b"N" + b"sb" * 5_000,
    "itself": b"]q\x00h\x00a",
    "modules": b"cmymodule\nNet\n)\x81}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x00a" * 300 + b"N" + b"ssb" * 300,
}


@pytest.mark.parametrize("kind", DEEP)
def test_depth_costs_nothing(tmp_path, kind) -> None:
    refused(pickled(tmp_path, b"\x80\x02" + DEEP[kind] + b"."))


def test_too_many_steps(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(machine_module, "MAX_STEPS", 1000)
    refused(pickled(tmp_path, b"\x80\x02" + b"}" * 2000 + b"."), "more than 1000 steps")


def test_modules_that_double_at_every_level(tmp_path) -> None:
    level = b"cmymodule\nNet\n)\x81}X\x08\x00\x00\x00_modules}(X\x01\x00\x00\x00aNX\x01\x00\x00\x00bNusb"
    body = level.replace(b"N", b"h\x00").replace(b"h\x00et", b"Net")
    first = b"cmymodule\nNet\n)\x81}X\x08\x00\x00\x00_modules}sbq\x00"
    refused(pickled(tmp_path, b"\x80\x02" + first + (body + b"q\x00") * 40 + b"."), "modules")


@LEGACY
def test_tensors_of_absurd_size(tmp_path, legacy) -> None:
    path = save({"a.weight": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "a.pth", legacy=legacy)
    refused(path, "(1000000, 1000000)", "'a.weight'", "do not trust it")
    many = {f"{i}.weight": torch.ones(1).expand(2**20) for i in range(100)}
    refused(save(many, tmp_path / "b.pth", legacy=legacy), "several times the file's own size")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"K\x02K\x02\x86", b"K\x02K\xc8\x86", ("(2, 200)", "more than the 4 numbers")),
        (b"K\x02K\x02\x86", b"K\x02J\xff\xff\xff\xff\x86", ("size or place '-1'",)),
        (b"K\x02K\x02\x86", b"K\x02NK\x02\x87", ("size or place 'None'",)),
        (b"K\x02K\x02\x86", b"K\x02\x85", ("shape (2,) and strides (2, 1)",)),
        (b"K\x02K\x01\x86", b"K\xc8K\x01\x86", ("more than the 4 numbers",)),
        (b"K\x02K\x01\x86", b"K\x02\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00\x86", ("size or place",)),
        (b"FloatStorage", b"QInt8Storage", ("quantised",)),
        (b"FloatStorage", b"StrangeStorage", ("unknown type torch.StrangeStorage",)),
        (b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x007", ("lacks its part 'data/7'",)),
        (b"X\x07\x00\x00\x00storage", b"X\x07\x00\x00\x00module_", ("no storage of numbers",)),
    ],
)
def test_tensors_that_do_not_fit_their_numbers(tmp_path, old, new, words) -> None:
    whole = save(WEIGHTS, tmp_path / "whole.pth")
    body = part(whole, "data.pkl")
    assert old in body
    refused(rewritten(whole, tmp_path / "made.pth", {"data.pkl": body.replace(old, new, 1)}), *words)


def quantised() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantised tensors are deprecated
        return torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)


@LEGACY
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: torch.ones(2, 2, dtype=torch.complex64), "complex"),
        (quantised, "quantised"),
        (lambda: torch.ones(2, 2).to_sparse(), "sparse"),
        (lambda: torch.ones(2, 2, device="meta"), "without values"),
        (lambda: torch.ones(2, 2, dtype=torch.int32), "holds int32 where weights should be"),
        (lambda: np.array([["a"]], dtype=object), "of Python objects"),
    ],
)
def test_numbers_of_the_wrong_kind(tmp_path, make, word, legacy) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = save({"a.weight": make()}, tmp_path / "a.pth", legacy=legacy)
    refused(path, word, "'a.weight'")


def test_archives_that_are_bombs(tmp_path) -> None:
    whole = save(WEIGHTS, tmp_path / "whole.pth")
    refused(rewritten(whole, tmp_path / "a.pth", {}, zipfile.ZIP_DEFLATED), "the compressed part", "unpack it first")
    with zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/code/__torch__.py", bytes(65 * 2**20))
        file.writestr("a/constants.pkl", b"", zipfile.ZIP_STORED)
    refused(tmp_path / "b.pth", "packs code of", "more than the 67108864")
    raw = bytearray(whole.read_bytes())
    place = raw.rfind(b"PK\x01\x02")  # the last member is made to claim the place of the first
    struct.pack_into("<L", raw, place + 42, struct.unpack_from("<L", raw, raw.find(b"PK\x01\x02") + 42)[0])
    (tmp_path / "c.pth").write_bytes(raw)
    refused(tmp_path / "c.pth", "c.pth")
    raw = bytearray(whole.read_bytes())
    if raw[-42:-38] == b"PK\x06\x07":  # PyTorch writes the directory of large archives besides
        struct.pack_into("<Q", raw, struct.unpack_from("<Q", raw, len(raw) - 34)[0] + 40, 2**31)
    struct.pack_into("<L", raw, raw.rfind(b"PK\x05\x06") + 12, 2**31)
    (tmp_path / "d.pth").write_bytes(raw)
    refused(tmp_path / "d.pth", "has a directory of 2147483648 bytes")
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "e.pth", "w") as file:
        warnings.simplefilter("ignore")
        for _ in range(2):
            file.writestr("a/data.pkl", part(whole, "data.pkl"))
    refused(tmp_path / "e.pth", "several parts of the same name")


def test_members_in_the_same_bytes(tmp_path) -> None:
    """A member whose bytes hold another member: a small file that claims to be a large one."""
    whole = save(WEIGHTS, tmp_path / "whole.pth")
    with zipfile.ZipFile(whole) as file:
        first, second = sorted(file.infolist(), key=lambda m: m.header_offset)[:2]
    raw = bytearray(whole.read_bytes())
    place = raw.find(b"PK\x01\x02")
    assert struct.unpack_from("<L", raw, place + 42)[0] == first.header_offset
    size = first.file_size + second.header_offset
    struct.pack_into("<LL", raw, place + 20, size, size)
    (tmp_path / "a.pth").write_bytes(raw)
    refused(tmp_path / "a.pth", "in the same bytes", "do not trust it")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pth", b"", ("is empty",)),
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ("git-LFS pointer", "lfs pull")),
        ("a.pth", b"<!DOCTYPE html><html><body>Google Drive - Virus scan", ("is a web page", "download the file")),
        ("a.pth", b"\n\n<html>", ("is a web page",)),
        ("a.pth", b'{"error": "not found"}', ("is text, beginning", "not found")),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), ("HDF5", "Keras")),
        ("a.pth", b"\x1f\x8b" + bytes(100), ("gzip", "unpack it")),
        ("a.pb", b"\x0a\x05" + bytes(100), ("TensorFlow",)),
        ("a.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(100), ("TensorFlow",)),
        ("a.tar", bytes(257) + b"ustar" + bytes(300), ("tar archive",)),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100), ("PNG picture",)),
        ("a.pkl", b"\x80\x02]q\x00.", ("holds no weights",)),
        ("a.pkl", b"(dp0\nS'a'\np1\nI1\ns.", ("a pickle of the oldest kind", "save the weights by torch.save")),
        ("a.pth", bytes(range(129, 256)), ("no file of weights that is known here",)),
        ("a.onnx", b"\xff" * 100, ("damaged ONNX file",)),
        ("a.safetensors", b"\x02" + bytes(7) + b"{}", ("holds no weights",)),
        ("a.safetensors", struct.pack("<Q", 40) + b'{"a":{"dtype":"F32","shape":[9],"data_o', ("safetensors",)),
    ],
)  # fmt: skip
def test_files_that_are_something_else(tmp_path, name, content, words) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, *words)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        (("a.npy", "b.npy"), "numpy arrays"),
        (("config.json", "model.weights.h5"), "Keras"),
        (("m/bytecode.pkl", "m/constants.pkl"), "PyTorch Mobile"),
        (("word/document.xml",), "zip archive of 1 files"),
    ],
)
def test_archives_that_are_something_else(tmp_path, members, word) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as file:
        for name in members:
            file.writestr(name, b"a")
    refused(tmp_path / "a.pth", word)


def test_no_file_a_folder_and_a_file_too_large(tmp_path, monkeypatch) -> None:
    with pytest.raises(FileNotFoundError, match="no file .*nothing.pth"):
        read(tmp_path / "nothing.pth")
    (tmp_path / "dead").symlink_to(tmp_path / "nothing.pth")
    with pytest.raises(FileNotFoundError, match="no file .*dead"):
        read(tmp_path / "dead")
    save(WEIGHTS, tmp_path / "a.pth")
    refused(tmp_path, "is a folder", "a.pth")
    monkeypatch.setattr("ganexplain.models.checkpoints.reading.MAX_FILE_BYTES", 100)
    refused(tmp_path / "a.pth", "more than the 100 that are read")


def test_a_file_without_weights(tmp_path) -> None:
    refused(save({"epoch": 3, "lr": 0.1}, tmp_path / "a.pth"), "holds no weights (it holds epoch, lr)")
    refused(save({"optimizer": {"state": {}, "param_groups": []}}, tmp_path / "b.pth"), "holds no weights")


class _Saves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "canary")
        return x


class _ReadsFile(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("/etc/hostname", False, 1)


@pytest.mark.parametrize(("make", "word"), [(_Saves, "save, which reads or writes files"), (_ReadsFile, "from_file")])
def test_programs_that_reach_out(tmp_path, make, word) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(make()).save(str(tmp_path / "a.pt"))
    refused(tmp_path / "a.pt", word, "code/__torch__")


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("program") / "a.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(seeded(Script), torch.zeros(2, 1, 8, 8)).save(str(path))
    return path


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("torch . save(x)", "save"),
        ("torch.# a\n save(x)", "save"),
        ('getattr(torch, "sa" "ve")', "getattr"),
        ("ops.inductor.foo(x)", "ops.inductor"),
        ("ops.prim.PythonOp(x)", "prim::PythonOp"),
        ("^Function(x)", "a call of Python"),
        ("__torch__.torch.classes.a.B", "torch.classes"),
        ("(" * 101 + "x", "nested more than 100"),
        ("x" + " + x" * 3000, "endless expression"),
        ("x = (x\n" + " + x\n" * 3000, "endless expression"),
        (" " * 500 + "x", "endless expression"),
        ("this is no code", "cannot load"),
    ],
)
def test_programs_that_hide_it(tmp_path, program, line, word) -> None:
    code = "code/__torch__/tests/models/_files.py"
    with zipfile.ZipFile(program) as file:
        names = [n.partition("/")[2] for n in file.namelist() if n.endswith(".py")]
    code = code if code in names else next(n for n in names if "_files" in n)
    body = part(program, code) + b"\n" + line.encode() + b"\n"
    refused(rewritten(program, tmp_path / "a.pt", {code: body}), word)


def test_a_damaged_program_is_not_compiled(tmp_path, program) -> None:
    raw = bytearray(program.read_bytes())
    raw[raw.find(seeded(Script).main[0].bias.detach().numpy().tobytes())] ^= 1
    (tmp_path / "a.pt").write_bytes(raw)
    refused(tmp_path / "a.pt", "the checksum of its part")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"domains": ("my.ops",)}, "operations of my.ops"),
        ({"inputs": ("x", "labels")}, "inputs x tensor(float)"),
        ({"outputs": {"nothing": [1]}}, "cannot run"),
    ],
)
def test_onnx_that_asks_for_more(tmp_path, changes, word) -> None:
    refused(onnx_file(seeded(Script), tmp_path / "a.onnx", **changes), word)


@pytest.mark.parametrize("place", ["/etc/hostname", "../net.data", "deep/../../net.data"])
def test_onnx_reads_no_files_elsewhere(tmp_path, place) -> None:
    import onnx

    (tmp_path / "in").mkdir()
    apart = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
    path = onnx_file(seeded(Script), tmp_path / "in" / "net.onnx", saving=apart)
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        next(e for e in tensor.external_data if e.key == "location").value = place
    path.write_bytes(model.SerializeToString())
    refused(path, f"keeps its numbers in {place!r}, outside its own folder")
    link = tmp_path / "in" / "linked.data"
    link.symlink_to("/etc/hostname")
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = link.name
    path.write_bytes(model.SerializeToString())
    refused(path, "outside its own folder")


def corpus(folder: pathlib.Path, program: pathlib.Path) -> list[pathlib.Path]:
    """One small file of every kind."""
    from safetensors.torch import save_file

    net = seeded(Net)
    whole = {"netD": net, "netG": Script().state_dict(), "epoch": 3, "array": np.arange(4.0), "args": {"lr": 0.1}}
    save_file({k: v.clone() for k, v in net.state_dict().items()}, folder / "a.safetensors")
    return [
        save(whole, folder / "zip.pth"),
        save(whole, folder / "legacy.pth", legacy=True),
        save(whole, folder / "protocol.pth", legacy=True, protocol=4),
        folder / "a.safetensors",
        onnx_file(seeded(Script), folder / "a.onnx"),
        program,
    ]


def damaged(raw: bytes, draw: random.Random) -> bytes:
    """The bytes with a few changed, cut, left out or repeated; most changes near the head, where descriptions lie."""
    changed = bytearray(raw)
    place, other = draw.randrange(len(raw)), draw.randrange(len(raw))
    kind = draw.randrange(5)
    if kind == 0:
        return bytes(changed[:place])
    if kind == 1:
        del changed[place : place + draw.randrange(1, 64)]
    elif kind == 2:
        changed[place:place] = changed[other : other + draw.randrange(1, 200)]
    else:
        for _ in range(draw.randrange(1, 6)):
            changed[draw.randrange(len(raw) if kind == 3 else min(4000, len(raw)))] = draw.randrange(256)
    return bytes(changed)


def outcome(path: pathlib.Path) -> str:
    """Read a file; whatever else than one sentence is raised goes on to the test."""
    try:
        read(path)
    except ValueError as error:
        one_sentence = type(error) is ValueError and str(error).startswith(str(path)) and "\n" not in str(error)
        return "refused" if one_sentence else repr(error)
    return "read"


def test_no_damage_raises_anything_but_a_sentence(tmp_path, program) -> None:
    draw = random.Random(0)
    outcomes = set()
    for whole in corpus(tmp_path, program):
        raw = whole.read_bytes()
        path = tmp_path / f"damaged{whole.suffix}"
        for _ in range(60):
            path.write_bytes(damaged(raw, draw))
            outcomes.add(outcome(path))
    assert outcomes == {"refused", "read"}
