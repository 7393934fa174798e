"""The readers: every good file gives the same data, every bad one a sentence with its place."""

import bz2
import gzip
import lzma

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from asysg import _files
from asysg.errors import InvalidArgument

A = np.array([[0.5, 0.0, -2.25], [0.0, 1e-300, 3.0], [0.0, 0.0, 0.0], [7.0, 0.1, 0.0]])
Y = np.array([1.0, -1.0, 1.0, -1.0])
ONE_BASED = "1 1:0.5 3:-2.25\n-1 2:1e-300 3:3\n+1\n-1 1:7 2:.1\n"


def dense(data):
    return data.A.toarray() if scipy.sparse.issparse(data.A) else data.A


def check(path, **options):
    data = _files.read(path, **options)
    assert np.array_equal(dense(data), A)
    assert np.array_equal(data.y, Y)
    assert data.A.dtype == data.y.dtype == np.float64
    return data


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_svmlight(tmp_path):
    data = check(write(tmp_path, "a.svm", ONE_BASED))
    assert data.A.format == "csr"
    assert "begin with 1" in data.notes[0]


def test_zero_based_ids_are_told_by_an_id_0(tmp_path):
    data = check(write(tmp_path, "a", "1 0:0.5 2:-2.25\n-1 1:1e-300 2:3\n1\n-1 0:7 1:.1\n"))
    assert "begin with 0 (the id 0 occurs)" in data.notes[0]


def test_zero_based_ids_can_be_told_by_hand(tmp_path):
    # No id 0 occurs: by itself the file would be read as one-based.
    path = write(tmp_path, "a", "1 1:2 2:3\n")
    assert _files.read(path).A.shape == (1, 2)
    assert np.array_equal(dense(_files.read(path, first_index=0)), [[0, 2, 3]])


def test_svmlight_comments_blank_lines_qid_and_line_ends(tmp_path):
    text = "# a comment\r\n1 qid:3 1:0.5 3:-2.25 # 9:9\r\n\r\n -1 2:1e-300\t3:3 \n1\n-1 1:7 2:.1"
    data = check(write(tmp_path, "a", text))
    assert "qid ignored" in data.notes


def test_number_of_features_can_be_given(tmp_path):
    assert _files.read(write(tmp_path, "a", ONE_BASED), n_features=9).A.shape == (4, 9)


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_compressed(tmp_path, suffix, pack):
    check(write(tmp_path, "a.svm" + suffix, pack(ONE_BASED.encode())))
    rows = "\n".join(",".join(map(repr, [*map(float, r), float(y)])) for r, y in zip(A, Y))  # noqa: B905
    check(write(tmp_path, "a.csv" + suffix, pack(rows.encode())))


@pytest.mark.parametrize("names", [("A", "y"), ("X", "y"), ("X", "labels"), ("A", "target")])
def test_npz_dense(tmp_path, names):
    path = tmp_path / "a.npz"
    np.savez(path, **dict(zip(names, (A, Y), strict=True)))
    assert isinstance(check(path).A, np.ndarray)


def test_npz_csr_with_labels_of_every_kind(tmp_path):
    path, csr = tmp_path / "a.npz", scipy.sparse.csr_array(A)
    scipy.sparse.save_npz(path, csr)
    np.save(tmp_path / "y.npy", Y.astype(np.int8))
    assert check(path, labels=str(tmp_path / "y.npy")).A.format == "csr"
    check(path, labels=str(write(tmp_path, "y.txt", "1\n-1\n+1\n-1.0\n")))
    parts = {"data": csr.data, "indices": csr.indices, "indptr": csr.indptr, "shape": csr.shape}
    np.savez(path, format=b"csr", **parts, y=Y, other=Y + 1)
    check(path)
    assert np.array_equal(_files.read(path, labels="other").y, Y + 1)


def test_npz_csr_with_64_bit_indices(tmp_path):
    path, csr = tmp_path / "a.npz", scipy.sparse.csr_array(A)
    csr.indices, csr.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    scipy.sparse.save_npz(path, csr)
    check(path, labels=str(write(tmp_path, "y", "1\n-1\n1\n-1\n")))


CSV = "a,b,c,label\n0.5,0,-2.25,1\n0,1e-300,3,-1\n0,0,0,1\n7,0.1,0,-1\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (CSV, {}),
        ("\ufeff" + CSV.replace("\n", "\r\n"), {}),
        (CSV.split("\n", 1)[1], {}),
        (CSV, {"labels": "label"}),
        (CSV, {"labels": "3", "header": True}),
        (CSV, {"labels": "-1"}),
        (CSV.replace(",", ";"), {}),
        (CSV.replace(",", "\t"), {}),
        (CSV.replace("0.5", '"0.5"'), {}),
        ("y,a,b,c\n1,0.5,0,-2.25\n-1,0,1e-300,3\n\n1,0,0,0\n-1,7,0.1,0", {"labels": "y"}),
        ("1,0.5,0,-2.25\n-1,0,1e-300,3\n1,0,0,0\n-1,7,0.1,0", {"labels": "0"}),
    ],
)
def test_csv(tmp_path, text, options):
    check(write(tmp_path, "a.csv", text), **options)


def test_a_header_of_numbers_is_data_unless_told(tmp_path):
    path = write(tmp_path, "a.csv", "1,2,3\n4,5,6\n")
    assert _files.read(path).A.shape == (2, 2)
    assert _files.read(path, header=True).A.shape == (1, 2)


def test_words_are_labels(tmp_path):
    path = write(tmp_path, "a.csv", "size,kind\n1,good\n2, bad\n")
    assert _files.read(path).y.tolist() == ["good", "bad"]


def test_format_can_be_told(tmp_path):
    check(write(tmp_path, "a.data", CSV), format="csv")


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.dictionaries(
                st.integers(0, 40), st.floats(allow_nan=False, allow_infinity=False), max_size=6
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None)
def test_what_is_written_is_read_to_the_bit(tmp_path_factory, samples):
    lines = (
        " ".join([repr(y), *(f"{i + 1}:{v!r}" for i, v in sorted(row.items()))])
        for y, row in samples
    )
    path = tmp_path_factory.mktemp("svm") / "a"
    path.write_text("\n".join(lines))
    data = _files.read(path, n_features=41)
    wanted = np.zeros((len(samples), 41))
    for j, (_, row) in enumerate(samples):
        wanted[j, list(row)] = list(row.values())
    assert np.array_equal(dense(data), wanted)
    assert data.y.tolist() == [y for y, _ in samples]


def test_agrees_with_another_reader(tmp_path):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((200, 50), density=0.1, rng=rng, format="csr")
    path = str(tmp_path / "a.svm")
    dump_svmlight_file(X, rng.integers(0, 3, 200), path, zero_based=False)
    theirs, labels = load_svmlight_file(path)
    ours = _files.read(path)
    assert np.array_equal(dense(ours), theirs.toarray())
    assert np.array_equal(ours.y, labels)


def npz(**arrays):
    def make(path):
        np.savez(path, **arrays)

    return make


def csr(**changed):
    parts = {"format": b"csr", "data": [1.0, 2.0], "indices": [0, 1], "indptr": [0, 1, 2],
             "shape": [2, 2], "y": [0.0, 1.0]}  # fmt: skip
    return npz(**{name: np.asarray(value) for name, value in {**parts, **changed}.items()})


E18, E19 = "9" * 18, "9" * 19
BAD = {
    # name: (file name, content or maker, what the sentence says)
    "empty": ("a", "", "at least one sample"),
    "only comments": ("a", "# nothing\n\n", "at least one sample"),
    "labels only": ("a", "1\n-1\n", "at least one feature"),
    "nan value": ("a", "1 1:1\n1 1:nan\n", "line 2: values must be finite"),
    "inf value": ("a", "1 1:1e999\n", "line 1: values must be finite"),
    "nan label": ("a", "nan 1:1\n", "line 1: label must be finite"),
    "no label": ("a", "1 1:1\n2:1\n", "line 2: a line must begin with its label"),
    "word for a label": ("a", "spam 1:1\n", "line 1: a line must begin with its label"),
    "several labels": ("a", "1,2 1:1\n", "one label"),
    "no colon": ("a", "1 1:1\n# c\n1 5 2:1\n", "line 3: features must be id:value"),
    "csv as svmlight": ("a", "1,2,3\n4,5,6\n", "line 1"),
    "word for a value": ("a", "1 1:x\n", "values must be numbers"),
    "empty value": ("a", "1 1:\n", "values must be numbers"),
    "underscore": ("a", "1 1:1_0\n", "values must be numbers"),
    "two colons": ("a", "1 1:1:1\n", "values must be numbers"),
    "word for an id": ("a", "1 x:1\n", "ids must be whole numbers"),
    "fraction for an id": ("a", "1 1.5:1\n", "ids must be whole numbers"),
    "negative id": ("a", "1 -1:1\n", "ids must not be negative"),
    "huge id": ("a", "1 1:1\n1 50000001:1\n", "line 2: ids must be at most 50000000"),
    "id near 2^60": ("a", f"1 {E18}:1\n", "ids must be at most 50000000"),
    "id beyond 64 bits": ("a", f"1 {E19}:1\n", "ids must be at most 50000000"),
    "unsorted": ("a", "1 1:1\n1 3:1 2:1\n", "line 2: ids must be unique and increase"),
    "duplicate": ("a", "1\n1 3:1 3:1\n", "line 2: ids must be unique and increase"),
    "binary": ("a", bytes(range(256)) * 4, "line 1"),
    "broken gz": ("a.gz", b"no gzip", "sound svmlight"),
    "short gz": ("a.gz", gzip.compress(ONE_BASED.encode() * 99)[:-20], "sound svmlight"),
    "broken bz2": ("a.bz2", b"no bzip2", "sound svmlight"),
    "broken xz": ("a.xz", b"no xz", "sound svmlight"),
    "csv empty": ("a.csv", "", "at least one sample"),
    "csv header only": ("a.csv", "a,b\n", "header only"),
    "csv one column": ("a.csv", "1\n2\n", "one column"),
    "csv ragged": ("a.csv", "1,2,3\n1,2,3\n1,2\n", "line 3: every line must have 3 columns"),
    "csv too long": ("a.csv", "a,b\n1,2\n1,2,3\n", "line 3: every line must have 2 columns"),
    "csv missing value": ("a.csv", "1,2,3\n1,,3\n", "line 2: column 1 (from 0) must not be empty"),
    "csv missing label": ("a.csv", "1,2,3\n1,2,\n", "line 2: column 2 (from 0) must not be empty"),
    "csv word": ("a.csv", "1,2,3\n1,x,3\n", "line 2: column 1 (from 0) must be a number"),
    "csv underscore": ("a.csv", "1,2,3\n1,1_0,3\n", "line 2: column 1 (from 0) must be a number"),
    "csv half a header": ("a.csv", "a,2,3\n1,2,3\n", "line 1: column 0 (from 0) must be a number"),
    "csv nan": ("a.csv", "1,nan,3\n", "must be finite"),
    "csv inf label": ("a.csv", "1,2,inf\n", "must be finite"),
    "csv open quote": ("a.csv", '1,"2,3\n4,5,6\n', "must be CSV"),
    "csv other bytes": ("a.csv", b"1,2\n\xff\xfe,2\n", "UTF-8"),
    "npz is none": ("a.npz", "text", "npz archive"),
    "npz empty file": ("a.npz", "", "npz archive"),
    "npz cut": ("a.npz", b"PK\x05\x06" + bytes(18), "the data as one array"),
    "npz no data": ("a.npz", npz(B=A, y=Y), "the data as one array"),
    "npz two data": ("a.npz", npz(A=A, X=A, y=Y), "the data as one array"),
    "npz no labels": ("a.npz", npz(A=A), "the labels as one array"),
    "npz pickled": ("a.npz", npz(A=np.array([[{}]]), y=Y), "plain arrays"),
    "npz nan": ("a.npz", npz(A=A * np.nan, y=Y), "must be finite"),
    "npz nan label": ("a.npz", npz(A=A, y=Y * np.nan), "must be finite"),
    "npz vector": ("a.npz", npz(A=Y, y=Y), "non-empty matrix"),
    "npz complex": ("a.npz", npz(A=A * 1j, y=Y), "real numbers"),
    "npz empty": ("a.npz", npz(A=np.zeros((4, 0)), y=Y), "non-empty matrix"),
    "npz few labels": ("a.npz", npz(A=A, y=Y[:2]), "one a sample, 4"),
    "npz label matrix": ("a.npz", npz(A=A, y=Y[:, None]), "non-empty vector"),
    "npz csc": ("a.npz", csr(format=b"csc"), "CSR matrix"),
    "npz index": ("a.npz", csr(indices=[0, 2]), "sound CSR"),
    "npz negative index": ("a.npz", csr(indices=[0, -1]), "sound CSR"),
    "npz indptr": ("a.npz", csr(indptr=[0, 2, 1]), "sound CSR"),
    "npz long indptr": ("a.npz", csr(indptr=[0, 1, 9]), "sound CSR"),
    "npz float index": ("a.npz", csr(indices=[0.0, 1.0]), "sound CSR"),
    "npz three extents": ("a.npz", csr(shape=[2, 2, 2]), "sound CSR"),
    "npz wide": ("a.npz", csr(shape=[2, 10**12]), "at most 50000000 features"),
    "npz inf": ("a.npz", csr(data=[1.0, np.inf]), "must be finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_their_place(tmp_path, case):
    name, content, says = BAD[case]
    path = tmp_path / name
    if callable(content):
        content(path)
    else:
        write(tmp_path, name, content)
    with pytest.raises(InvalidArgument) as caught:
        _files.read(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value) or "labels (y)" in str(caught.value)
    assert len(str(caught.value)) < 500  # whatever the file holds, it is one sentence


def test_missing_and_folder(tmp_path):
    with pytest.raises(InvalidArgument, match="where there is none"):
        _files.read(tmp_path / "none.svm")
    with pytest.raises(InvalidArgument, match="got a folder"):
        _files.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a", {"labels": "y"}, "labels must be left out"),
        ("a", {"header": True}, "header must be left out"),
        ("a.csv", {"first_index": 0}, "first_index must be left out"),
        ("a.csv", {"labels": "nobody"}, "must name one column"),
        ("a.csv", {"labels": "4"}, r"-4\.\.3"),
        ("a.csv", {"format": "xml"}, "format must be one of"),
        ("a", {"first_index": 1}, "got 0"),
        ("a", {"first_index": 2}, "first_index must be 0 or 1"),
        ("a", {"n_features": 2}, "at most 1 "),
        ("a", {"n_features": 0}, "n_features must be at least 1"),
        ("a", {"max_features": 2}, "max_features if that is meant"),
        ("a", {"max_features": 0}, "max_features must be at least 1"),
        ("a.npz", {"labels": "nobody"}, "or a file"),
    ],
)
def test_options_that_do_not_fit(tmp_path, name, options, says):
    write(tmp_path, "a", "1 0:1 2:1\n")
    write(tmp_path, "a.csv", CSV)
    np.savez(tmp_path / "a.npz", A=A, y=Y)
    with pytest.raises(InvalidArgument, match=says):
        _files.read(tmp_path / name, **options)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    monkeypatch.setattr("pickle.load", refuse)
    monkeypatch.setattr("pickle.loads", refuse)
    objects = np.array([{}, {}], dtype=object)
    np.save(tmp_path / "y.npy", objects)
    np.savez(tmp_path / "a.npz", A=A, y=objects)
    for labels in (None, str(tmp_path / "y.npy")):
        with pytest.raises(InvalidArgument):
            _files.read(tmp_path / "a.npz", labels=labels)
