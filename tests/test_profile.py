import pytest

from interp import profile
from interp.errors import InputError
from interp.report import chapters

GOOD = "description: x\nparameters: {subject: minilm}\nchapters:\n  property-inference: {seeds: 2}\n"


@pytest.fixture
def write(tmp_path):
    def put(text):
        path = tmp_path / "p.yml"
        path.write_text(text)
        return str(path)

    return put


@pytest.mark.parametrize("name", ["embedded", "norms", "paper", "gpu", "smoke"])
def test_the_committed_profiles_are_valid_and_cover_the_book(name):
    loaded = profile.load(name)
    chapters.check(loaded)
    assert set(loaded.chapters) == set(chapters.names())


def test_command_line_beats_chapter_beats_profile(write):
    loaded = profile.load(write(GOOD))
    known = {"subject", "seeds", "folds"}
    assert loaded.of("property-inference", known) == {"subject": "minilm", "seeds": 2}
    assert loaded.of("property-inference", known, {"seeds": 9, "other": 1}) == {
        "subject": "minilm",
        "seeds": 9,
    }
    assert loaded.of("property-inference", {"seeds"}) == {"seeds": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "chapter: 1\n", "unknown key 'chapter'; did you mean 'chapters'"),
        (GOOD.replace("seeds", "sedes"), "unknown parameter 'sedes'; did you mean 'seeds'"),
        (GOOD.replace("subject", "sbject"), "unknown parameter 'sbject'; did you mean 'subject'"),
        (GOOD.replace("property-inference", "property-inferenc"), "unknown chapter 'property-inferenc'"),
        (GOOD.replace("seeds: 2", "seeds: two"), "parameter seeds takes int, as in 3, not 'two'"),
        (GOOD.replace("seeds: 2", "seeds: 2.5"), "parameter seeds takes int"),
        ("description: x\n", "chapters: field required"),
        ("- a\n- b\n", "is no profile"),
        ("a: [1\n", "is no valid YAML"),
        (GOOD.replace("description: x", "description: 3"), "description: input should be a valid string"),
    ],
)
def test_a_bad_profile_is_one_clear_line(write, text, message):
    with pytest.raises(InputError, match=message) as caught:
        chapters.check(profile.load(write(text)))
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_is_named():
    with pytest.raises(InputError, match="unknown profile 'embeded'; did you mean 'embedded'"):
        profile.load("embeded")


def test_outside_a_checkout_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not inside a checkout of the book"):
        profile.load("embedded")


def test_given_parameters_are_yaml():
    assert chapters.given(["seeds=3", "norms=[a, b]", "subject=gpt2"]) == {
        "seeds": 3,
        "norms": ["a", "b"],
        "subject": "gpt2",
    }
    for bad, message in [
        ("seeds", "write name=value"),
        ("=3", "write name=value"),
        ("x=[1", "no valid value"),
    ]:
        with pytest.raises(InputError, match=message):
            chapters.given([bad])
