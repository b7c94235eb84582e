"""Images in: the oracle is the array that was written, or PIL's own conversion."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain import tensors
from ganexplain.data import images
from ganexplain.data.images import expand, list_images, read_folder, read_image, read_mask, to_images


def pixels(*shape, seed=0):
    return tensors.rng(seed, "pixels").integers(0, 256, shape, dtype=np.uint8)


def scaled(array, white=255):
    """What the file means, computed apart from the code under test: (1, C, H, W)."""
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return torch.from_numpy((planes.astype(np.float64) / white * 2 - 1).astype(np.float32))[None]


def same(read, wanted, tol=2e-7):
    assert read.dtype == torch.float32
    assert read.shape == wanted.shape
    torch.testing.assert_close(read, wanted, rtol=0, atol=tol)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_bytes_come_back(tmp_path, suffix, shape):
    array = pixels(*shape)
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(array).save(tmp_path / f"a.{suffix}", **options)
    wanted = scaled(array if suffix != "webp" or len(shape) == 3 else np.stack([array] * 3, -1))  # WebP has no grey
    same(read_image(tmp_path / f"a.{suffix}"), wanted)


def test_the_content_tells_the_format_not_the_suffix(tmp_path):
    array = pixels(4, 4, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    same(read_image(tmp_path / "a.jpg"), scaled(array))


def test_sixteen_bit_grey_is_divided_by_65535_and_never_clipped(tmp_path):
    array = tensors.rng(0, "16").integers(0, 65536, (6, 5), dtype=np.uint16)
    array[0, :2] = 0, 65535
    for name in ("a.png", "a.tif"):
        Image.fromarray(array).save(tmp_path / name)
        same(read_image(tmp_path / name), scaled(array, 65535))
        same(read_image(tmp_path / name, channels=3), scaled(array, 65535).repeat(1, 3, 1, 1))
    (tmp_path / "a.pgm").write_bytes(b"P5 5 6 65535\n" + array.astype(">u2").tobytes())
    same(read_image(tmp_path / "a.pgm"), scaled(array, 65535))


def test_big_endian_tiff(tmp_path):
    array = np.array([[0, 1000], [40000, 65535]], np.uint16)
    tags = [
        (256, 4, 2),
        (257, 4, 2),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 122),
        (277, 3, 1),
        (278, 4, 2),
        (279, 4, 8),
    ]
    body = b"MM\0*" + struct.pack(">IH", 8, len(tags))
    for tag, kind, value in tags:
        body += struct.pack(">HHI", tag, kind, 1) + (
            struct.pack(">I", value) if kind == 4 else struct.pack(">HH", value, 0)
        )
    body += bytes(122 - len(body)) + array.astype(">u2").tobytes()
    (tmp_path / "a.tif").write_bytes(body)
    same(read_image(tmp_path / "a.tif"), scaled(array, 65535))


def test_sixteen_bit_colour_is_within_a_byte(tmp_path):
    array = tensors.rng(0, "rgb16").integers(0, 65536, (3, 4, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    (tmp_path / "a.png").write_bytes(png(4, 3, depth=16, colour=2, data=rows))
    same(read_image(tmp_path / "a.png"), scaled(array, 65535), tol=2 / 255)


def test_float_tiff(tmp_path):
    array = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    Image.fromarray(array).save(tmp_path / "a.tif")
    same(read_image(tmp_path / "a.tif"), scaled(array, 1))
    Image.fromarray(array * 300).save(tmp_path / "b.tif")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got 0 to 300"):
        read_image(tmp_path / "b.tif")


def test_integers_without_a_known_white_are_refused(tmp_path):
    Image.fromarray(np.arange(6, dtype=np.int32).reshape(2, 3)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="32-bit integers"):
        read_image(tmp_path / "a.tif")


def test_one_bit_and_palette(tmp_path):
    bits = pixels(5, 9) > 127
    Image.fromarray(bits).save(tmp_path / "a.png")
    same(read_image(tmp_path / "a.png"), scaled(bits.astype(np.uint8), 1))
    colours = np.array([[255, 0, 0], [0, 128, 0], [0, 0, 7]], np.uint8)[pixels(5, 9) % 3]
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE, colors=8).save(tmp_path / "b.gif")
    same(read_image(tmp_path / "b.gif"), scaled(colours))


def test_cmyk_is_what_pil_makes_of_it(tmp_path):
    picture = Image.fromarray(pixels(8, 8, 3)).convert("CMYK")
    picture.save(tmp_path / "a.tif")
    same(read_image(tmp_path / "a.tif"), scaled(np.asarray(picture.convert("RGB"))))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_on_white_and_said(tmp_path, mode):
    array = pixels(4, 6, len(mode))
    Image.fromarray(array, mode).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="white"):
        read = read_image(tmp_path / "a.png")
    colour, alpha = array[..., :-1].astype(float), array[..., -1:] / 255
    wanted = (colour * alpha + 255 * (1 - alpha)) / 255 * 2 - 1
    same(read, torch.from_numpy(wanted.transpose(2, 0, 1)).float()[None], tol=2.1 / 255)


def test_opaque_alpha_is_silent_and_a_transparent_palette_entry_is_white(tmp_path):
    array = pixels(4, 6, 4)
    array[..., 3] = 255
    Image.fromarray(array).save(tmp_path / "a.png")
    same(read_image(tmp_path / "a.png"), scaled(array[..., :3]))
    indexed = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    indexed.putpalette([10, 20, 30, 0, 0, 0])
    indexed.save(tmp_path / "b.png", transparency=1)
    with pytest.warns(UserWarning, match="white"):
        read = read_image(tmp_path / "b.png")
    assert read[0, :, 0, 1].tolist() == [1, 1, 1]
    same(read[:, :, :1, :1], scaled(np.array([[[10, 20, 30]]], np.uint8)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    array = pixels(4, 6)
    turned = {
        1: array, 2: array[:, ::-1], 3: array[::-1, ::-1], 4: array[::-1], 5: array.T,
        6: np.rot90(array, -1), 7: array[::-1, ::-1].T, 8: np.rot90(array),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    same(read_image(tmp_path / "a.png"), scaled(turned[orientation].copy()))


def test_channels_are_converted_as_pil_does(tmp_path):
    array = pixels(9, 5, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    same(read_image(tmp_path / "a.png", channels=1), scaled(np.asarray(Image.fromarray(array).convert("L"))))
    Image.fromarray(array[..., 0]).save(tmp_path / "b.png")
    same(read_image(tmp_path / "b.png", channels=3), scaled(np.stack([array[..., 0]] * 3, -1)))


@pytest.mark.parametrize("name", images.RESIZES)
def test_resize_is_pils(tmp_path, name):
    array = pixels(40, 30, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    wanted = Image.fromarray(array).resize((16, 8), images.RESIZES[name])
    same(read_image(tmp_path / "a.png", size=(8, 16), resize=name), scaled(np.asarray(wanted)))
    assert read_image(tmp_path / "a.png", size=12, resize=name).shape == (1, 3, 12, 12)


def test_a_bilinear_resize_is_the_one_inside_the_critic(tmp_path):
    from ganexplain.models.preprocess import resized

    array = pixels(64, 64, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    inside = resized(read_image(tmp_path / "a.png"), (20, 20))
    same(read_image(tmp_path / "a.png", size=20), inside, tol=2.1 / 255)  # PIL rounds to bytes


def test_sixteen_bit_resize_stays_in_range(tmp_path):
    array = (np.indices((32, 32)).sum(0) % 8 < 4).astype(np.uint16) * 65535
    Image.fromarray(array).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png", size=20, resize="bicubic")
    assert read.shape == (1, 1, 20, 20)
    assert read.min() == -1
    assert read.max() == 1


def png(width, height, *, depth=8, colour=0, data=b""):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    import tracemalloc

    (tmp_path / "bomb.png").write_bytes(png(20_000, 20_000, data=bytes(20_001 * 20_000)))
    limit = Image.MAX_IMAGE_PIXELS
    tracemalloc.start()
    with pytest.raises(ValueError, match="20000x20000 pixels, more than"):  # a warning would be another error here
        read_image(tmp_path / "bomb.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_large_image_below_the_bound_warns_of_nothing(tmp_path, monkeypatch):
    Image.fromarray(pixels(30, 30)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # PIL would warn, and raise at twice that
    assert read_image(tmp_path / "a.png").shape == (1, 1, 30, 30)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no image, only words", "is no image; read are PNG"),
        (b"", "is empty"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no image"),
        (png(0, 4), "no pixels|damaged"),
        (png(8, 8, data=bytes(10)), "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged"),
        (b"GIF89a", "damaged"),
        (b"BM" + bytes(9), "damaged"),
        (b"II*\0" + bytes(3), "damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged"),
        (b"P5 4 x 255\n", "damaged"),
    ],
)
def test_what_is_no_image_gets_one_sentence(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_image(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif"])
def test_every_truncation_is_an_error_or_the_whole_image(tmp_path, suffix):
    Image.fromarray(pixels(24, 24, 3)).save(tmp_path / f"a.{suffix}")
    whole = (tmp_path / f"a.{suffix}").read_bytes()
    complete = read_image(tmp_path / f"a.{suffix}")
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "b").write_bytes(whole[: int(share * len(whole))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL's own words on a damaged TIFF directory
            try:
                read = read_image(tmp_path / "b")
            except ValueError:
                continue
        assert torch.equal(read, complete)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(FileNotFoundError, match="no image file"):
        read_image(tmp_path / "none.png")
    Image.fromarray(pixels(3, 3)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="channels must be 1, 3"):
        read_image(tmp_path / "a.png", channels=4)
    with pytest.raises(ValueError, match="did you mean 'bilinear'"):
        read_image(tmp_path / "a.png", resize="bilinar")
    with pytest.raises(ValueError, match="size must be positive"):
        read_image(tmp_path / "a.png", size=0)


def test_list_images(tmp_path):
    for name in ("b.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in list_images(tmp_path)] == ["a.jpg", "b.PNG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no images in"):
        list_images(tmp_path / "empty")
    (tmp_path / "empty" / "inner").mkdir()
    (tmp_path / "empty" / "inner" / "a.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="'inner' has some"):
        list_images(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        list_images(tmp_path / "none")
    assert expand([tmp_path / "a.jpg", tmp_path]) == [tmp_path / "a.jpg", tmp_path / "b.PNG"]
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        expand(["none"])
    with pytest.raises(ValueError, match="no images given"):
        expand([])


def test_read_folder(tmp_path):
    arrays = [pixels(6, 6, seed=i) for i in range(7)]
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(tmp_path / f"{i}.png")
    same(read_folder(tmp_path), torch.cat([scaled(a) for a in arrays]))
    same(read_folder(tmp_path, limit=3), torch.cat([scaled(arrays[i]) for i in (0, 2, 4)]))
    same(read_folder(tmp_path / "3.png"), scaled(arrays[3]))
    Image.fromarray(pixels(6, 8, 3)).save(tmp_path / "8.png")
    with pytest.raises(ValueError, match="0.png is 6x6 in grey and 8.png 8x6 in colour"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, channels=1, size=5).shape == (8, 1, 5, 5)
    with pytest.raises(ValueError, match="limit must be positive"):
        read_folder(tmp_path, limit=0)


def test_to_images_is_one_rule(tmp_path):
    array = pixels(5, 7, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    wanted = scaled(array)
    channels_first = torch.from_numpy(array).permute(2, 0, 1)
    floats = (array / 127.5 - 1).astype(np.float64)
    for value in (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(array),
        array,
        array[None],
        floats,
        floats.transpose(2, 0, 1),
        np.ascontiguousarray(array.transpose(2, 0, 1)),
        array.transpose(2, 0, 1)[None],
        channels_first,
    ):
        same(to_images(value), wanted)
    same(to_images(channels_first[None]), wanted)
    same(to_images(wanted[0]), wanted)
    same(to_images([array, Image.fromarray(array)]), torch.cat([wanted, wanted]))
    same(to_images(array[..., 0]), scaled(array[..., 0]))
    luma = read_image(tmp_path / "a.png", channels=1)  # of all that is bytes, as PIL has it
    for value in (tmp_path / "a.png", Image.fromarray(array), array, array.transpose(2, 0, 1), channels_first):
        same(to_images(value, channels=1), luma)
    assert to_images(floats, channels=1).shape == wanted.shape  # a critic weights the channels of floats itself
    grey = Image.fromarray(array[..., 0])
    same(to_images(grey, channels=3), scaled(array[..., 0]).expand(1, 3, 5, 7))


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.full((4, 4), 2.0), ValueError, r"\[-1, 1\], got \[2, 2\]"),
        (np.full((4, 4), np.nan), ValueError, "finite"),
        (np.zeros((4, 4), int), TypeError, "uint8 or float"),
        (np.zeros((5, 4, 4), np.uint8), None, ""),  # (H, W, C) with C = 4
        (np.zeros((2, 9, 9), np.uint8), ValueError, r"\(H, W, C\)"),
        (np.zeros((3, 4, 4), np.uint8), ValueError, "may be its first or its last axis"),
        (np.zeros((5, 4, 4)), ValueError, "float array"),
        (np.zeros((0, 4), np.uint8), ValueError, "got"),
        (torch.zeros(4, 4), ValueError, r"\(N, C, H, W\)"),
        (torch.zeros(1, 4, 4, dtype=torch.int64), TypeError, "float"),
        (3, TypeError, "got int"),
        ([], TypeError, "got list"),
        ([np.zeros((4, 4), np.uint8), np.zeros((5, 4), np.uint8)], ValueError, "4x4 in grey and 4x5 in grey"),
    ],
)
def test_to_images_refuses(value, error, message):
    if error is None:
        with pytest.warns(UserWarning, match="white"):
            assert to_images(value).shape == (1, 3, 5, 4)
    else:
        with pytest.raises(error, match=message):
            to_images(value)


def test_read_mask_numbers_colours_by_first_appearance(tmp_path):
    colours = np.array([[255, 255, 255], [0, 0, 0], [200, 0, 0]], np.uint8)  # in sorted order 2, 0, 1
    labels = np.array([[0, 0, 1], [2, 1, 1]])
    Image.fromarray(colours[labels]).save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", (2, 3)).tolist() == labels.tolist()
    assert read_mask(tmp_path / "a.png", (4, 6)).tolist() == labels.repeat(2, 0).repeat(2, 1).tolist()
    assert read_mask(tmp_path / "a.png", (2, 3)).dtype == torch.int64


def test_read_mask_of_sixteen_bit_labels_and_too_many(tmp_path):
    labels = np.arange(1030, dtype=np.uint16).reshape(103, 10) * 60
    Image.fromarray(labels).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="got 1030 colours"):
        read_mask(tmp_path / "a.png", (103, 10))
    Image.fromarray(labels[:100]).save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", (100, 10)).tolist() == np.arange(1000).reshape(100, 10).tolist()
