from collections import Counter

from harness.recording import format as recordings
from harness.recording import vendor_forms
from harness.recording.features import Feature, features
from harness.recording.format import End, Fidelity, Origin, Recording, Surface
from harness.recording.importers.corpus import read, read_folder
from harness.recording.importers.exchange import Skipped
from harness.tests import corpus


def test_the_whole_corpus_becomes_recordings_and_no_byte_is_lost() -> None:
    bodies = {exchange.file.relative_to(corpus.need()).as_posix().removesuffix(".json"): exchange.body for exchange in corpus.exchanges()}
    surfaces: Counter[Surface] = Counter()
    for made in read_folder(corpus.need()):
        assert isinstance(made, Recording), made
        assert made.body == bodies.pop(made.id)
        assert "content-encoding" not in {name.lower() for name, _ in made.headers}  # the body is decoded
        assert made.origin is Origin.IMPORTED
        assert recordings.loads(recordings.dump(made), made.id) == made
        surfaces[made.surface] += 1
    assert bodies == {}
    assert all(surfaces[surface] for surface in Surface)


def test_what_we_know_of_vendor_layouts_holds_on_every_exact_answer() -> None:
    wrong = []
    for made in read_folder(corpus.need()):
        assert isinstance(made, Recording)
        if made.fidelity is Fidelity.EXACT and 200 <= made.status < 300:
            if not vendor_forms.has_vendor_layout(made.vendor, made.surface, made.body):
                wrong.append((made.id, "layout"))
            if made.end is not End.EOF:
                wrong.append((made.id, "end"))
    assert wrong == []


def test_features_agree_with_the_corpus_own_index() -> None:
    """The index is an independent reading; ours also sees what it does not look for, but misses nothing of these."""
    theirs = {line.file.stem: line for line in corpus.exchanges()}
    spoken = {Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI}
    for made in read_folder(corpus.need()):
        assert isinstance(made, Recording)
        if made.surface in spoken:
            line = theirs[made.id.rsplit("/", 1)[-1]]
            assert (Feature.ERROR in features(made)) == ((line.status or 0) >= 400)
            assert (Feature.STREAM in features(made)) == (vendor_forms.is_event_stream(line.body))


def test_a_broken_file_is_skipped() -> None:
    for data in (b"{", b"[]", b'{"request": {}}'):
        assert isinstance(read("a/b.json", data), Skipped)
