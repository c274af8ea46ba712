"""Decoding, spectrograms, patches and scaling, against librosa and scikit-learn."""

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from tartarus_cli.audio import TRANSFORMS, cached_transform, decoding
from tartarus_cli.audio.decoding import RecordingError, decode
from tartarus_cli.audio.patches import (
    FLOOR_DB,
    PatchRecipe,
    cut_patches,
    decibels,
    is_silent,
    sound_lengths,
)
from tartarus_cli.audio.scaler import fit_scaler
from tartarus_cli.audio.starts import (
    even_starts,
    patch_starts,
    sound_starts,
)
from tests.sounds import tone

FORMATS: dict[str, dict[str, Any]] = {
    "16 bits.wav": {"subtype": "PCM_16"},
    "24 bits.wav": {"subtype": "PCM_24"},
    "float.wav": {"subtype": "FLOAT"},
    "free.flac": {},
    "vorbis.ogg": {},
    "opus.ogg": {"subtype": "OPUS"},
    "layer three.mp3": {"format": "MP3"},
    "apple.aiff": {},
}


SHORT = pytest.mark.filterwarnings("ignore:n_fft=.* is too large:UserWarning")  # librosa's own


def written(path: Path, *, rate: int = 24_000, channels: int = 1, **how: str) -> Path:
    soundfile.write(path, tone(440, 0.8, rate=rate, channels=channels), rate, **how)
    return path


def loaded(path: Path, rate: int) -> NDArray[np.float32]:
    samples, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = librosa.to_mono(samples.T)
    return np.asarray(librosa.resample(mono, orig_sr=file_rate, target_sr=rate, res_type="soxr_hq"))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_format_is_decoded_as_librosa_does(name: str, channels: int, tmp_path: Path) -> None:
    path = written(tmp_path / name, channels=channels, **FORMATS[name])
    samples = decode(path, 22_050)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, loaded(path, 22_050), atol=1e-6)


@pytest.mark.parametrize("rate", [7919, 8000, 11_025, 22_050, 96_000, 192_000])
def test_any_rate_is_resampled_as_librosa_does(rate: int, tmp_path: Path) -> None:
    path = written(tmp_path / "rate.wav", rate=rate, subtype="FLOAT")
    for target_rate in (8000, 22_050):
        np.testing.assert_allclose(decode(path, target_rate), loaded(path, target_rate), atol=1e-6)


def test_eight_channels_are_averaged(tmp_path: Path) -> None:
    samples = tone(300, 0.5, channels=8)
    soundfile.write(tmp_path / "eight.wav", samples, 8000, subtype="FLOAT")
    np.testing.assert_allclose(
        decode(tmp_path / "eight.wav", 8000), samples.mean(axis=1), atol=1e-6
    )


@pytest.mark.parametrize("name", FORMATS)
def test_reading_in_blocks_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / name, channels=2, **FORMATS[name])
    at_once = decode(path, 22_050)
    monkeypatch.setattr(decoding, "BLOCK_FRAMES", 1000)
    np.testing.assert_allclose(decode(path, 22_050), at_once, atol=2e-5)


def test_a_recording_of_exactly_one_block_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "block.wav", tone(440, 1, rate=1000), 1000, subtype="FLOAT")
    monkeypatch.setattr(decoding, "BLOCK_FRAMES", 1000)
    assert decode(tmp_path / "block.wav", 1000).shape == (1000,)


def test_an_ending_may_lie(tmp_path: Path) -> None:
    path = written(tmp_path / "free.flac")
    expected = decode(path, 22_050)
    path.rename(tmp_path / "free.mp3")
    np.testing.assert_array_equal(decode(tmp_path / "free.mp3", 22_050), expected)


@pytest.mark.parametrize("name", ["layer three.mp3", "vorbis.ogg"])
def test_what_a_cut_file_does_not_hold_is_not_made_up(name: str, tmp_path: Path) -> None:
    whole = written(tmp_path / name, rate=44_100, channels=2, **FORMATS[name])
    cut = tmp_path / f"cut {name}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    samples = decode(cut, 22_050)
    np.testing.assert_allclose(samples, loaded(cut, 22_050), atol=1e-6)
    assert len(samples) < len(decode(whole, 22_050))


def test_one_sample_is_a_recording(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.ones(1), 44_100, subtype="FLOAT")
    assert decode(tmp_path / "one.wav", 44_100).tolist() == [1]
    assert decode(tmp_path / "one.wav", 8000).shape == (1,)


BAD = {
    "damaged": b"RIFF\x24\0\0\0WAVEfmt " + b"\xff" * 40,
    "not a recording": b"a list of songs\n" * 50,
    "an empty file": b"",
}


@pytest.mark.parametrize("reason", BAD)
def test_a_file_that_is_no_recording_is_reported(reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(BAD[reason])
    with pytest.raises(RecordingError, match=reason):
        decode(path, 22_050)


def test_recordings_without_a_sample_with_nan_or_with_absurd_values_are_reported(
    tmp_path: Path,
) -> None:
    for values, reason in (
        ([], "not hold a single sample"),
        ([0, np.nan, 0], "NaN or infinity"),
        ([np.inf] * 9, "NaN or infinity"),
        ([1e30] * 9, r"reach 1e\+30"),
    ):
        soundfile.write(tmp_path / "odd.wav", np.array(values, np.float32), 8000, subtype="FLOAT")
        with pytest.raises(RecordingError, match=reason):
            decode(tmp_path / "odd.wav", 8000)


def test_missing_files_folders_and_endless_recordings_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        decode(tmp_path / "none.wav", 8000)
    with pytest.raises(RecordingError, match="a folder"):
        decode(tmp_path, 8000)
    path = written(tmp_path / "long.wav", rate=8000)
    content = bytearray(path.read_bytes())
    content[24:28] = (1).to_bytes(4, "little")  # one sample a second
    path.write_bytes(content)
    monkeypatch.setattr(decoding, "MAX_SECONDS", 3600)
    with pytest.raises(RecordingError, match="longer than 1 hours"):
        decode(path, 8000)


@pytest.mark.parametrize("name", TRANSFORMS.names())
@pytest.mark.parametrize("length", [1, 10, 4410, 50_000])
def test_a_transform_of_any_length_is_a_magnitude_of_known_frequencies(
    name: str, length: int
) -> None:
    options = TRANSFORMS.get(name).options()
    with warnings.catch_warnings(action="error"):
        magnitude = cached_transform(name, options)(tone(440, 10)[:length, 0])
    frequencies = TRANSFORMS.get(name).frequencies(options)
    assert magnitude.dtype == np.float32
    assert magnitude.shape == (len(frequencies), 1 + length // options.hop_length)
    assert np.isfinite(magnitude).all()
    assert magnitude.min() >= 0
    assert (np.diff(frequencies) > 0).all()


@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_a_tone_of_440_hz_is_loudest_in_its_bin(name: str) -> None:
    options = TRANSFORMS.get(name).options()
    time = np.arange(2 * options.sample_rate) / options.sample_rate
    magnitude = cached_transform(name, options)(np.sin(2 * np.pi * 440 * time).astype(np.float32))
    frequencies = TRANSFORMS.get(name).frequencies(options)
    loudest = magnitude.mean(axis=1).argmax()
    assert loudest == np.abs(frequencies - 440).argmin()


@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_a_recipe_knows_the_shape_of_its_patches(name: str) -> None:
    recipe = PatchRecipe(transform=name, parameters=TRANSFORMS.get(name).options(), seconds=0.5)
    magnitude = recipe.spectrogram(tone(300, 2)[:, 0])
    assert recipe.cut(magnitude, "a").shape == (1, recipe.frames, recipe.bins)


CQT: dict[str, dict[str, Any]] = {
    "default": {},
    "hop 512": {"hop_length": 512},
    "hop 1000": {"hop_length": 1000},
    "odd hop": {"hop_length": 333},
    "quarter tones": {"bins": 84, "bins_per_octave": 24},
    "not whole octaves": {"bins": 100, "bins_per_octave": 36, "hop_length": 256},
    "early downsampling": {"bins": 24, "sample_rate": 44_100},
    "early by eight": {"bins": 12, "hop_length": 4096},
    "fmin 110": {"bins": 48, "fmin": 110.0, "sample_rate": 16_000},
    "one bin": {"bins": 1},
}


@pytest.mark.parametrize("variant", CQT)
@pytest.mark.parametrize("length", [4410, 40_001])
@SHORT
def test_cqt_is_librosas(variant: str, length: int) -> None:
    options = TRANSFORMS.get("cqt").options(**CQT[variant])
    given: Any = options
    samples = tone(523, 6)[:length, 0] + tone(150, 6)[:length, 0]
    expected = np.abs(
        librosa.cqt(
            samples,
            sr=given.sample_rate,
            hop_length=given.hop_length,
            fmin=given.fmin,
            n_bins=given.bins,
            bins_per_octave=given.bins_per_octave,
        )
    )
    magnitude = cached_transform("cqt", options)(samples)
    np.testing.assert_allclose(magnitude, expected, rtol=0, atol=2e-6 * expected.max())


SHORT_TIME: dict[str, dict[str, Any]] = {
    "default": {},
    "odd sizes": {"n_fft": 2047, "hop_length": 333},
    "other rate": {"sample_rate": 16_000, "n_fft": 1024},
}


@pytest.mark.parametrize("variant", SHORT_TIME)
@pytest.mark.parametrize("length", [1, 300, 30_000])
@SHORT
def test_stft_and_mel_are_librosas(variant: str, length: int) -> None:
    samples = tone(523, 6)[:length, 0]
    options: Any = TRANSFORMS.get("stft").options(**SHORT_TIME[variant])
    sizes = {"n_fft": options.n_fft, "hop_length": options.hop_length}
    linear = np.abs(librosa.stft(samples, **sizes))
    magnitude = cached_transform("stft", options)(samples)
    np.testing.assert_allclose(magnitude, linear, rtol=0, atol=2e-6 * linear.max())
    bands = TRANSFORMS.get("mel").options(**SHORT_TIME[variant])
    power = librosa.feature.melspectrogram(y=samples, sr=options.sample_rate, n_mels=96, **sizes)
    magnitude = cached_transform("mel", bands)(samples)
    np.testing.assert_allclose(magnitude, np.sqrt(power), rtol=0, atol=3e-6 * np.sqrt(power.max()))


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("cqt", {"bins": 120}, "above half the sample rate of 22,050"),
        ("cqt", {"bins": 12, "fmin": 1e-300}, "filters are too long"),
        ("cqt", {"bins": 1 << 20, "bins_per_octave": 1 << 20}, "filters are too long"),
        ("mel", {"bins": 400}, "of 400 mel bands hold no frequency"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(
    name: str, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        cached_transform(name, TRANSFORMS.get(name).options(**given))


@settings(max_examples=60)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 9)),
        elements=st.floats(0, 1000, width=32),
    )
)
def test_decibels_are_librosas_but_of_silence(magnitude: NDArray[np.float32]) -> None:
    levels = decibels(magnitude)
    if is_silent(magnitude):
        assert (levels == FLOOR_DB).all()
    else:
        expected = librosa.power_to_db(magnitude**2, ref=np.max)
        np.testing.assert_allclose(levels, expected, atol=1e-4)
    assert levels.dtype == np.float32


def test_a_recording_without_frames_is_silent() -> None:
    assert is_silent(np.zeros((3, 0), np.float32))


@given(
    total=st.integers(0, 5000),
    frames=st.integers(1, 400),
    count=st.integers(1, 20),
    seed=st.integers(0, (1 << 63) - 1),
    item=st.text(max_size=20),
)
def test_patches_always_fit_and_more_begin_as_fewer(
    total: int, frames: int, count: int, seed: int, item: str
) -> None:
    starts = patch_starts(total, frames, count, seed=seed, item=item)
    assert starts.min() >= 0
    assert starts.max() <= max(0, total - frames)
    more = patch_starts(total, frames, count + 5, seed=seed, item=item)
    assert more[:count].tolist() == starts.tolist()


def test_patches_start_everywhere_with_the_same_chance() -> None:
    starts = np.concatenate([patch_starts(19, 10, 1000, seed=s, item="a") for s in range(10)])
    counts = np.bincount(starts, minlength=10)
    assert len(counts) == 10
    assert (abs(counts - 1000) < 5 * np.sqrt(900)).all()


def test_starts_depend_on_the_seed_and_the_id_alone() -> None:
    def starts(seed: int, item: str) -> list[int]:
        return list(patch_starts(100_000, 10, 5, seed=seed, item=item))

    assert starts(0, "a") == starts(0, "a")
    assert len({tuple(starts(s, i)) for s in (0, 1) for i in ("a", "b", "é", "")}) == 8


@given(
    total=st.integers(1, 200),
    frames=st.integers(1, 60),
    count=st.integers(1, 9),
    sounding=st.floats(0, 1),
)
def test_even_and_sounding_starts_lie_in_the_recording_in_order(
    total: int, frames: int, count: int, sounding: float
) -> None:
    magnitude = np.zeros((2, total), np.float32)
    magnitude[:, : int(sounding * total)] = 0.5
    for starts in (even_starts(total, frames, count), sound_starts(magnitude, frames, count)):
        assert len(starts) == count
        assert (np.diff(starts) >= 0).all()
        assert starts[0] >= 0
        assert starts[-1] <= max(total - frames, 0)


def test_sounding_patches_are_spread_over_the_sound() -> None:
    magnitude = np.full((3, 1000), 1e-6, np.float32)
    magnitude[:, 600:900] = 0.3
    starts = sound_starts(magnitude, 100, 4)
    # At most half of a patch may be nearly silent without it losing 3 dB of mean level of 60.
    assert starts.tolist() == [595, 665, 735, 805]
    assert sound_starts(magnitude, 100, 1).tolist() == [700]
    # Where all is as loud, they are spread over all.
    loud = np.full((3, 1000), 0.3, np.float32)
    assert sound_starts(loud, 100, 4).tolist() == even_starts(1000, 100, 4).tolist()


def test_a_blow_in_silence_is_in_every_sounding_patch() -> None:
    magnitude = np.full((3, 500), 1e-5, np.float32)
    magnitude[:, 321:333] = 0.9
    for start in sound_starts(magnitude, 50, 5):
        assert start <= 324  # 3 dB of the mean level of a patch are 2.5 frames of 60 dB
        assert start + 50 >= 330


def test_silence_at_the_end_of_a_patch_is_not_counted() -> None:
    patches = np.full((3, 6, 2), FLOOR_DB, np.float32)
    patches[0, 2] = -20
    patches[1, 5, 1] = -79
    assert sound_lengths(patches).tolist() == [3, 6, 6]


def test_bins_are_scaled_as_scikit_learn_does_without_the_silence_at_the_end() -> None:
    rng = np.random.default_rng(0)
    patches = (-50 * rng.random((20, 9, 4))).astype(np.float32)
    patches[:5, 6:] = FLOOR_DB
    frames = np.concatenate([patches[:5, :6].reshape(-1, 4), patches[5:].reshape(-1, 4)])
    expected = StandardScaler().fit(frames.astype(float))
    scaler = fit_scaler([patches[:7], patches[7:]], "bin")
    np.testing.assert_allclose(scaler.mean, np.tile(expected.mean_, 9), rtol=1e-5)
    np.testing.assert_allclose(scaler.scale, np.tile(expected.scale_, 9), rtol=1e-5)
    whole = scaler(patches[10:12])
    np.testing.assert_array_equal(
        whole[:, 3], (patches[10:12, 3] - scaler.mean[:4]) / scaler.scale[:4]
    )


def test_a_patch_is_what_the_spectrogram_holds_from_its_start() -> None:
    magnitude = np.random.default_rng(0).random((4, 50)).astype(np.float32)
    starts = patch_starts(50, 7, 3, seed=5, item="x")
    patches = cut_patches(magnitude, 7, starts)
    levels = librosa.power_to_db(magnitude**2, ref=np.max).T
    for patch, start in zip(patches, starts, strict=True):
        np.testing.assert_allclose(patch, levels[start : start + 7], atol=1e-4)


def test_a_short_recording_is_padded_with_the_floor() -> None:
    (patch,) = cut_patches(np.ones((2, 3), np.float32), 5, np.array([0]))
    assert patch.tolist() == [[0, 0]] * 3 + [[-80, -80]] * 2


def test_fifteen_seconds_are_322_frames() -> None:
    assert PatchRecipe(transform="cqt", parameters=TRANSFORMS.get("cqt").options()).frames == 322


def test_a_key_changes_with_each_parameter_and_with_nothing_else() -> None:
    options = TRANSFORMS.get("cqt").options
    keys = [
        PatchRecipe(transform=name, parameters=parameters).spectrogram_key
        for name, parameters in (
            *(("cqt", options(**CQT[variant])) for variant in CQT),
            *((name, TRANSFORMS.get(name).options()) for name in ("mel", "stft")),
        )
    ]
    assert len(set(keys)) == len(keys)
    other = PatchRecipe(transform="cqt", parameters=options(), per_item=3, seconds=1, seed=9)
    assert other.spectrogram_key == keys[0]


@settings(max_examples=40)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 1000))
def test_a_scaler_fitted_block_by_block_is_scikit_learns(sizes: list[int], seed: int) -> None:
    patches = np.random.default_rng(seed).normal(-40, 20, (sum(sizes), 3, 2)).astype(np.float32)
    patches[:, 0, 1] = -80
    edges = np.cumsum([0, *sizes])
    scaler = fit_scaler(patches[a:b] for a, b in pairwise(edges))
    expected = StandardScaler().fit(patches.reshape(len(patches), -1).astype(float))
    np.testing.assert_allclose(scaler.mean, expected.mean_, rtol=1e-5)
    np.testing.assert_allclose(scaler.scale, expected.scale_, rtol=1e-4)
    assert scaler.scale[1] == 1
    scaled = scaler(patches)
    assert scaled.dtype == np.float32
    assert (scaled[:, 0, 1] == 0).all()
