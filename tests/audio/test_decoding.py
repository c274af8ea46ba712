"""Recordings are read to their real end, and what they lack is said."""

import io
import os
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tartarus_cli.audio.decoding import RecordingError, decode, read_recording
from tests.sounds import tone

RATE = 22_050
SECONDS = 4


def encoded(
    name: str, *, seconds: float = SECONDS, rate: int = RATE, channels: int = 1, **how: Any
) -> bytes:
    """Return the bytes of a recording as libsndfile writes it, ``name`` being its format."""
    buffer = io.BytesIO()
    samples = tone(440, seconds, rate=rate, channels=channels)
    with soundfile.SoundFile(buffer, "w", rate, channels, format=name, **how) as file:
        for start in range(0, len(samples), 1000):
            file.write(samples[start : start + 1000])
    return buffer.getvalue()


def by_ffmpeg(path: Path, codec: str, *, rate: int = 48_000, video: bool = False) -> Path:
    """Write a recording with FFmpeg, the container being that of the file's name."""
    wave = np.repeat(tone(440, SECONDS, rate=rate).T, 2, axis=0)
    with av.open(path, "w") as container:
        film: Any = container.add_stream("mpeg4", rate=10) if video else None
        stream: Any = container.add_stream(codec, rate=rate)
        context = stream.codec_context
        context.layout = "stereo"
        context.bit_rate = 128_000
        if video:
            add_pictures(container, film)
        resampler = av.AudioResampler(context.codec.audio_formats[0], "stereo", rate)
        for start in range(0, wave.shape[1], 1024):
            block = np.ascontiguousarray(wave[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return path


def add_pictures(container: Any, stream: Any) -> None:
    stream.width = stream.height = 64
    for number in range(10 * SECONDS):
        picture = np.full((64, 64, 3), number, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
    container.mux(stream.encode(None))


def seconds_of(path: Path) -> float:
    return len(decode(path, RATE)) / RATE


def read(path: Path, content: bytes | bytearray) -> tuple[float, str]:
    """Write a file; return how many seconds are read of it, and what is said."""
    path.write_bytes(content)
    recording = read_recording(path, RATE)
    return len(recording.samples) / RATE, recording.remark


def with_size(content: bytes, place: int, size: bytes) -> bytes:
    return content[:place] + size + content[place + len(size) :]


def without_xing(content: bytes) -> bytes:
    """Cut off what stands before the second frame of an MP3: the one that says how many follow."""
    place = 0
    for _ in range(2):
        place = content.index(b"\xff", place + 1)
        while content[place + 1] & 0xE0 != 0xE0:
            place = content.index(b"\xff", place + 1)
    return content[place:]


def variable_mp3() -> bytes:
    """Return an MP3 that begins loud, so that its length seems far less than it is."""
    loud = np.random.default_rng(0).normal(size=44_100 * 2) * 0.3
    soft = 0.01 * np.sin(np.arange(44_100 * 10) / 30)
    buffer = io.BytesIO()
    how: Any = {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
    soundfile.write(buffer, np.concatenate([loud, soft]), 44_100, format="MP3", **how)
    return buffer.getvalue()


def test_a_variable_mp3_without_a_header_is_read_to_its_end(tmp_path: Path) -> None:
    content = without_xing(variable_mp3())
    (tmp_path / "a.mp3").write_bytes(content)
    assert soundfile.info(tmp_path / "a.mp3").duration < 11  # what libsndfile takes for the end
    seconds, remark = read(tmp_path / "a.mp3", content)
    assert seconds == pytest.approx(12, abs=0.1)
    assert remark == ""


OPUS: dict[str, Any] = {"name": "OGG", "rate": 48_000, "subtype": "OPUS"}
JOINED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mp3": ({"name": "MP3"}, {"name": "MP3"}),
    "mp3 of other rates": ({"name": "MP3", "rate": 44_100}, {"name": "MP3", "channels": 2}),
    "vorbis": ({"name": "OGG"}, {"name": "OGG"}),
    "vorbis of other rates": ({"name": "OGG"}, {"name": "OGG", "rate": 44_100}),
    "vorbis of more channels": ({"name": "OGG"}, {"name": "OGG", "channels": 2}),
    "opus": (OPUS, OPUS),
    "vorbis and opus": ({"name": "OGG"}, OPUS),
    "flac": ({"name": "FLAC"}, {"name": "FLAC", "channels": 2}),
    "wav": ({"name": "WAV"}, {"name": "WAV", "rate": 8000, "subtype": "FLOAT"}),
}


@pytest.mark.parametrize("kind", JOINED)
def test_joined_files_are_read_one_after_another(kind: str, tmp_path: Path) -> None:
    first, second = (encoded(**how) for how in JOINED[kind])
    seconds, remark = read(tmp_path / "a", first + second)
    assert seconds == pytest.approx(2 * SECONDS, abs=0.2)
    assert remark == ""


def test_the_parts_of_a_joined_file_are_what_they_are_alone(tmp_path: Path) -> None:
    first, second = encoded("WAV", subtype="FLOAT"), encoded("WAV", channels=2, subtype="FLOAT")
    read(tmp_path / "both.wav", first + second)
    read(tmp_path / "first.wav", first)
    read(tmp_path / "second.wav", second)
    alone = [decode(tmp_path / f"{name}.wav", RATE) for name in ("first", "second")]
    np.testing.assert_array_equal(decode(tmp_path / "both.wav", RATE), np.concatenate(alone))


def test_an_id3_tag_between_joined_mp3s_is_no_damage(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, 30_000, dtype=np.uint8).tobytes()
    size = len(picture) + 10
    tag = b"ID3\x04\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    tag += b"APIC" + bytes(len(picture) >> shift & 127 for shift in (21, 14, 7, 0)) + b"\0\0"
    content = tag + picture + encoded("MP3")
    seconds, remark = read(tmp_path / "a.mp3", content + b"TAG" + bytes(125) + content)
    assert seconds == pytest.approx(2 * SECONDS, abs=0.2)
    assert remark == ""


WAV = encoded("WAV", subtype="PCM_16")
RF64 = encoded("RF64", subtype="PCM_16")
AU = encoded("AU", subtype="PCM_16")
DS64 = RF64.index(b"ds64") + 8
LIES: dict[str, bytes] = {
    "size 0": with_size(WAV, 40, bytes(4)),
    "all sizes 0": with_size(with_size(WAV, 40, bytes(4)), 4, bytes(4)),
    "the largest size": with_size(with_size(WAV, 40, b"\xff" * 4), 4, b"\xff" * 4),
    "the size of sox": with_size(WAV, 40, b"\0\xf0\xff\x7f"),
    "the size of a moment": with_size(WAV, 40, (2000).to_bytes(4, "little")),
    "rf64 of size 0": with_size(RF64, DS64, bytes(24)),
    "rf64 of size -1": with_size(RF64, DS64, b"\xff" * 24),
    "au of size 0": with_size(AU, 8, bytes(4)),
    "au of unknown size": with_size(AU, 8, b"\xff" * 4),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_size_that_cannot_be_right_is_not_believed(lie: str, tmp_path: Path) -> None:
    expected = read_recording(written(tmp_path / "right.wav", WAV), RATE).samples
    recording = read_recording(written(tmp_path / "wrong.wav", LIES[lie]), RATE)
    np.testing.assert_array_equal(recording.samples, expected)
    assert recording.remark == ""


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("after", [b"LIST", b"id3 ", b"cue "])
def test_chunks_after_the_samples_are_no_sound(after: bytes, tmp_path: Path) -> None:
    chunk = after + (3000).to_bytes(4, "little") + b"x" * 3000
    seconds, remark = read(tmp_path / "a.wav", WAV + chunk)
    assert seconds == SECONDS
    assert remark == ""
    assert read(tmp_path / "b.wav", WAV + chunk[:900])[0] == SECONDS


@pytest.mark.parametrize("rest", [b"LIST\x04\0\0\0abcd", b"\1\2\3" * 500, bytes(100_000)])
@pytest.mark.parametrize("frames", [9999, 10_000])
def test_what_follows_the_samples_is_not_heard(frames: int, rest: bytes, tmp_path: Path) -> None:
    sound = encoded("WAV", seconds=1, subtype="PCM_U8")
    place = sound.index(b"data") + 8
    content = sound[: place - 4] + frames.to_bytes(4, "little") + sound[place : place + frames]
    (tmp_path / "a.wav").write_bytes(content + rest)  # without the byte that makes it even
    assert len(decode(tmp_path / "a.wav", RATE)) == frames


CUT = {
    "wav": WAV,
    "aiff": encoded("AIFF"),
    "au": AU,
    "w64": encoded("W64"),
    "caf": encoded("CAF"),
    "flac": encoded("FLAC"),
    "mp3": encoded("MP3", bitrate_mode="CONSTANT"),
}


@pytest.mark.parametrize("kind", CUT)
def test_of_a_file_that_is_cut_short_the_rest_is_read_and_what_is_missing_said(
    kind: str, tmp_path: Path
) -> None:
    content = CUT[kind]
    assert read(tmp_path / "whole", content)[1] == ""
    seconds, remark = read(tmp_path / "cut", content[: len(content) // 2])
    assert seconds == pytest.approx(SECONDS / 2, abs=0.3)
    assert remark.startswith("only ")
    assert remark.endswith(" s announced can be read: cut short or damaged")
    announced = float(remark.split(" of ")[1].split()[0])
    assert announced == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_of_an_ogg_file_that_is_cut_short_its_missing_end_is_said(
    subtype: str, tmp_path: Path
) -> None:
    content = encoded("OGG", rate=48_000, subtype=subtype)
    assert read(tmp_path / "whole.ogg", content)[1] == ""
    _, remark = read(tmp_path / "cut.ogg", content[: len(content) * 2 // 3])
    assert remark.startswith("cut short after ")


@pytest.mark.parametrize("filling", ["zeros", "noise"])
@pytest.mark.parametrize("kind", ["MP3", "MP3 without header", "FLAC", "OGG"])
def test_damage_in_the_middle_is_skipped_and_said(kind: str, filling: str, tmp_path: Path) -> None:
    content = bytearray(encoded(kind.split(maxsplit=1)[0], seconds=10))
    if kind == "MP3 without header":
        content = bytearray(without_xing(bytes(content)))
    place, noise = len(content) // 2, np.random.default_rng(3).integers(0, 256, 3000, np.uint8)
    content[place : place + 3000] = bytes(3000) if filling == "zeros" else noise.tobytes()
    seconds, remark = read(tmp_path / "a", content)
    assert 4 < seconds < 10
    assert "damaged" in remark
    assert "Unspecified" not in remark


FFMPEG = {
    "a.m4a": "aac",
    "a.aac": "aac",
    "a.wma": "wmav2",
    "a.webm": "libopus",
    "a.mka": "flac",
    "a.mp2": "mp2",
    "a.ac3": "ac3",
    "a.ogg": "flac",
    "a.w64": "pcm_s16le",
    "a.caf": "pcm_s24be",
    "a.wv": "wavpack",
    "a.tta": "tta",
}


@pytest.mark.parametrize("name", FFMPEG)
def test_other_formats_are_read_whatever_their_extension(name: str, tmp_path: Path) -> None:
    path = by_ffmpeg(tmp_path / name, FFMPEG[name])
    path = path.rename(tmp_path / "a.mp3")
    recording = read_recording(path, 48_000)
    assert recording.remark == ""
    expected = tone(440, SECONDS, rate=48_000)[:, 0]
    found = recording.samples[: len(expected)]
    assert len(recording.samples) == pytest.approx(len(expected), abs=4000)
    spectra = [np.abs(np.fft.rfft(samples)) for samples in (found, expected)]
    assert spectra[0].argmax() / len(found) == pytest.approx(
        spectra[1].argmax() / len(expected), rel=0.01
    )
    assert np.square(found).mean() == pytest.approx(np.square(expected).mean(), rel=0.1)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_u8"])
def test_ffmpeg_scales_samples_as_libsndfile_does(codec: str, tmp_path: Path) -> None:
    video = decode(by_ffmpeg(tmp_path / "a.mkv", codec), 48_000)
    sound = decode(by_ffmpeg(tmp_path / "a.wav", codec), 48_000)
    np.testing.assert_array_equal(video, sound)


@pytest.mark.parametrize("name", ["a.mka", "a.webm", "a.tta", "a.wv"])
def test_of_other_formats_too_it_is_said_what_is_missing(name: str, tmp_path: Path) -> None:
    content = by_ffmpeg(tmp_path / name, FFMPEG[name]).read_bytes()
    seconds, remark = read(tmp_path / "cut", content[: len(content) // 2])
    assert 0.5 < seconds < 3.5
    assert "of 4.0 s announced can be read" in remark


def test_the_sound_of_a_video_is_read_and_a_silent_film_refused(tmp_path: Path) -> None:
    path = by_ffmpeg(tmp_path / "a.mp4", "aac", video=True)
    assert seconds_of(path) == pytest.approx(SECONDS, abs=0.1)
    with av.open(tmp_path / "film.mp4", "w") as container:
        add_pictures(container, container.add_stream("mpeg4", rate=10))
    with pytest.raises(RecordingError, match=r"^it holds no sound, but video$"):
        decode(tmp_path / "film.mp4", RATE)


def test_an_mp4_whose_index_is_cut_off_is_reported_as_such(tmp_path: Path) -> None:
    content = by_ffmpeg(tmp_path / "a.m4a", "aac").read_bytes()
    with pytest.raises(RecordingError, match=r"index of this MP4 file \(moov\)"):
        read(tmp_path / "cut.m4a", content[: len(content) // 2])


SCRIPTS = {
    "playlist": b"#EXTM3U\n#EXTINF:4,\n{}\n",
    "list of FFmpeg": b"ffconcat version 1.0\nfile '{}'\n",
    "cue sheet": b'FILE "{}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "page": b"<html><title>404</title>{}</html>" * 100,
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_file_that_names_another_one_opens_nothing(kind: str, tmp_path: Path) -> None:
    other = written(tmp_path / "other.wav", WAV)
    script = SCRIPTS[kind].replace(b"{}", os.fsencode(other))
    with pytest.raises(RecordingError, match="not a recording"):
        read(tmp_path / "a.mp3", script)


def test_what_a_mac_writes_beside_a_file_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"a Mac writes beside a file"):
        read(tmp_path / "._a.mp3", b"\0\x05\x16\x07\0\2\0\0Mac OS X        " + bytes(4000))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


PLACES: dict[str, Callable[[Path], object]] = {
    "a pipe, not a file": os.mkfifo,
    "a folder, not a file": Path.mkdir,
    "a device, not a file": lambda path: path.symlink_to("/dev/zero"),
    "a link to what does not exist": lambda path: path.symlink_to("nowhere"),
    "no such file or directory": lambda _path: None,
    "an empty file": Path.touch,
}


@pytest.mark.parametrize("reason", PLACES)
def test_what_is_no_plain_file_is_refused_without_opening_it(reason: str, tmp_path: Path) -> None:
    PLACES[reason](tmp_path / "a.wav")
    with pytest.raises(RecordingError, match=f"^{reason}$"):
        decode(tmp_path / "a.wav", RATE)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_socket(Path("a.wav"))
    with pytest.raises(RecordingError, match=r"^a socket, not a file$"):
        decode(tmp_path / "a.wav", RATE)


def stereo(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.column_stack([left, right])


@pytest.mark.parametrize("form", ["WAV", "FLAC", "MP3"])
def test_of_channels_that_cancel_each_other_the_loudest_is_taken(form: str, tmp_path: Path) -> None:
    wave = tone(440, SECONDS, rate=RATE)[:, 0]
    path = tmp_path / "a"
    soundfile.write(path, stereo(0.999 * wave, -wave), RATE, format=form)
    recording = read_recording(path, RATE)
    assert "channels cancel each other out: the loudest one alone" in recording.remark
    assert np.square(recording.samples).mean() == pytest.approx(np.square(wave).mean(), rel=0.1)


def test_channels_that_cancel_for_a_while_are_reported(tmp_path: Path) -> None:
    wave = tone(440, SECONDS, rate=RATE)[:, 0]
    other = wave.copy()
    other[RATE : 2 * RATE] *= -1
    soundfile.write(tmp_path / "a.wav", stereo(wave, other), RATE)
    recording = read_recording(tmp_path / "a.wav", RATE)
    assert "channels cancel each other for 0." in recording.remark
    assert "of 4.0 s" in recording.remark
    np.testing.assert_allclose(recording.samples, (wave + other) / 2, atol=1e-4)


def test_ordinary_channels_are_averaged_without_a_word(tmp_path: Path) -> None:
    left, right = tone(440, SECONDS, rate=RATE)[:, 0], tone(660, SECONDS, rate=RATE)[:, 0]
    silent = np.zeros_like(left)
    for number, channels in enumerate(
        [stereo(left, right), stereo(left, silent), stereo(left, -0.5 * left), stereo(left, left)]
    ):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, channels, RATE, subtype="FLOAT")
        recording = read_recording(path, RATE)
        assert recording.remark == ""
        np.testing.assert_array_equal(recording.samples, channels.mean(axis=1))


@pytest.mark.parametrize("seed", range(8))
def test_an_mp3_is_read_beyond_bytes_that_are_overwritten(seed: int, tmp_path: Path) -> None:
    content = encoded("MP3", rate=44_100, channels=2)
    rng = np.random.default_rng(seed)
    middle = len(content) // 2 + int(rng.integers(2_000))
    seconds, remark = read(tmp_path / "x.mp3", with_size(content, middle, rng.bytes(300)))
    assert seconds > SECONDS - 0.15
    assert remark or seconds > SECONDS - 0.05


def test_what_an_encoder_adds_to_an_mp3_of_a_low_rate_is_not_missing(tmp_path: Path) -> None:
    assert read(tmp_path / "x.mp3", encoded("MP3", rate=8_000)) == (SECONDS, "")


def test_a_damaged_frame_of_a_flac_file_is_missed(tmp_path: Path) -> None:
    content = encoded("FLAC", rate=44_100)
    damaged = with_size(content, len(content) // 2, bytes(100))
    seconds, remark = read(tmp_path / "x.flac", damaged)
    assert SECONDS - 0.5 < seconds < SECONDS
    assert f"of {SECONDS}.0 s announced" in remark
