"""Where an index lives: one contract for a folder and for an object store."""

import hashlib
import pickle
import threading
from pathlib import Path

import pytest

from hyperir.core.errors import CorruptError, InputError, LockedError, MissingExtraError
from hyperir.index import cache
from hyperir.index.folder import LocalFolder
from hyperir.index.objects import ObjectStore
from hyperir.index.place import Content, place_at


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        place = place_at(tmp_path / "my.index")
    else:
        place = place_at(f"s3://{request.getfixturevalue('bucket')}/some/my.index")
    place.prepare()
    place.prepare(["commits", "ann"])
    return place


def write(place, name, data):
    place.begin(name).write_bytes(data)
    return place.settle([name])[name]


def content_of(data):
    return Content(len(data), hashlib.sha256(data).hexdigest())


def test_a_new_place_holds_no_file(place):
    assert place.files() == {}
    assert place.names("commits") == []
    assert place.names("nowhere") == []
    assert place.files("nowhere") == {}


def test_a_new_file_is_there_once_settled(place):
    data = bytes(range(256)) * 5000
    assert write(place, "ann/one/vectors", data) == content_of(data)
    assert place.files() == {"ann/one/vectors": len(data)}
    assert place.files("ann") == place.files("ann/one") == place.files()
    assert place.files("an") == {}
    assert place.names("ann") == ["one"]
    assert place.read("ann/one/vectors") == data
    assert place.sha256("ann/one/vectors") == content_of(data).sha256


def test_a_file_may_be_written_from_its_end(place):
    path = place.begin("ann/one/vectors")
    with path.open("xb") as file:
        file.write(b"header??body")
        file.seek(0)
        file.write(b"HEADER!!")
    place.settle(["ann/one/vectors"])
    assert place.read("ann/one/vectors") == b"HEADER!!body"


def test_a_name_is_begun_once(place):
    place.begin("ann/one/vectors").write_bytes(b"1")
    with pytest.raises(FileExistsError):
        place.begin("ann/one/vectors")


def test_hashing_reports_every_byte(place):
    data = bytes(3_000_000)
    write(place, "ann/zeros", data)
    seen = []
    assert place.sha256("ann/zeros", seen.append) == content_of(data).sha256
    assert sum(seen) == len(data)


def test_a_file_that_another_program_wrote_is_settled_by_what_is_stored(place):
    place.publish("ann/theirs", b"12345")
    assert place.settle(["ann/theirs"]) == {"ann/theirs": content_of(b"12345")}


@pytest.mark.parametrize("call", ["read", "sha256"])
def test_a_file_that_is_not_there(place, call):
    with pytest.raises(FileNotFoundError):
        getattr(place, call)("ann/nothing")


def test_settling_a_file_that_is_not_there(place):
    with pytest.raises(FileNotFoundError):
        place.settle(["ann/nothing"])


def test_a_local_file_has_the_bytes(place):
    data = b"to be mapped" * 1000
    content = write(place, "ann/one/vectors", data)
    assert place.local("ann/one/vectors", content).read_bytes() == data
    assert pickle.loads(pickle.dumps(place)).local("ann/one/vectors", content).read_bytes() == data


def test_a_name_is_published_once(place):
    place.publish("commits/1.json", b"first")
    with pytest.raises(FileExistsError):
        place.publish("commits/1.json", b"second")
    assert place.read("commits/1.json") == b"first"


def test_of_many_publishers_one_succeeds(place):
    done = []

    def publish(number):
        try:
            other.publish("commits/1.json", b"%d" % number)
        except FileExistsError:
            return
        done.append(number)

    # On a folder only the holder of the lock publishes: they share the name of the unpublished file.
    other = pickle.loads(pickle.dumps(place))
    threads = [threading.Thread(target=publish, args=(n,)) for n in range(8 if isinstance(place, ObjectStore) else 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [place.read("commits/1.json")] == [b"%d" % number for number in done]


def test_removing(place):
    write(place, "ann/one/vectors", b"1")
    write(place, "ann/two/vectors", b"2")
    assert place.remove(["ann/one/vectors", "ann/never"])
    assert place.remove(["ann/one/vectors"])
    place.prune("ann")
    assert place.files() == {"ann/two/vectors": 1}
    assert place.names("ann") == ["two"]


def test_nothing_is_left_of_a_place_that_is_cleared(place):
    write(place, "ann/one/vectors", b"1")
    place.clear()
    assert place.names() == []
    assert place.files() == {}


def test_what_was_begun_and_not_settled_is_no_file_of_the_index(place):
    with place.lock():
        kept, dropped = (place.begin(f"ann/{name}/vectors") for name in ("one", "two"))
        kept.write_bytes(b"half")
        dropped.write_bytes(b"half")
        assert place.local("ann/one/vectors", None) == kept
        assert place.remove(["ann/two/vectors"])
        assert not dropped.exists()
    if isinstance(place, LocalFolder):
        place.remove(["ann/one/vectors"])
    assert not kept.exists()
    assert place.files("ann") == {}


def test_a_file_takes_the_place_of_a_damaged_one(place):
    write(place, "ann/one/vectors", b"damaged")
    place.begin("ann/one/vectors.tmp").write_bytes(b"whole")
    place.replace("ann/one/vectors.tmp", "ann/one/vectors")
    assert place.read("ann/one/vectors") == b"whole"
    assert place.files("ann") == {"ann/one/vectors": 5}


def test_what_ends_with_a_commit_goes_with_it(place):
    place.publish("commits/1.json", b"first")
    write(place, "ann/one/vectors", b"1")
    place.publish("commits/2.json", b"second", ["ann/one/vectors"], ["commits/1.json"])
    assert place.names("commits") == ["2.json"]


def test_sizes_of_some_files(place):
    write(place, "ann/one/vectors", b"123")
    assert place.sizes(["ann/one/vectors", "ann/two/vectors", "ann/one/vectors/no"]) == {"ann/one/vectors": 3}
    assert place.sizes([]) == {}
    assert place.read("ann/one/vectors", 2) == b"3"


def test_the_lock_excludes_and_names_the_other(place):
    with place.lock() as hold:
        place.check()
        assert not hold.taken_over
        assert not hold.dirty
        with pytest.raises(LockedError, match=r"process \d+ on .* \(this process\)"), place.lock():
            pass
    with place.lock(wait=5) as hold:
        assert not hold.taken_over


def test_the_lock_is_given_back_after_an_error(place):
    with pytest.raises(ZeroDivisionError), place.lock():
        _ = 1 / 0
    with place.lock():
        pass


def test_lance_finds_its_table(place):
    import lance
    import pyarrow as pa

    address = place.table("rows.lance")
    lance.write_dataset(pa.table({"key": [1, 2, 3]}), address.uri, storage_options=address.options)
    assert lance.dataset(address.uri, version=1, storage_options=address.options).count_rows() == 3
    manifest = next(name for name in place.files("rows.lance/_versions") if name.endswith(".manifest"))
    assert place.settle([manifest])[manifest].size == place.files()[manifest]


def test_the_address_makes_the_place(tmp_path, bucket, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_at("my.index") == place_at(Path("my.index")) == LocalFolder(tmp_path / "my.index")
    address = f"s3://{bucket}/a/b.index"
    assert str(place_at(address)) == str(place_at(Path(address))) == str(place_at(address + "/")) == address
    assert place_at(address) == pickle.loads(pickle.dumps(place_at(address)))


@pytest.mark.parametrize(
    "address",
    [
        *("s3://bucket", "s3://bucket/", "s3://b/x", "s3://UPPER/x", "s3://bucket/a//b", "s3://bucket/../x"),
        *("s3://bucket/a b", "s3://bucket/a?b", "s3://bucket/a%20b", "s3://user@bucket/x"),
        *("gs://bucket/x", "https://host/x"),
    ],
)
def test_addresses_that_are_refused(address):
    with pytest.raises(InputError, match="an index cannot live at"):
        place_at(address)


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="is a file"):
        place_at(tmp_path / "file").prepare()
    assert place_at(tmp_path / "file").names() == []


def test_two_indexes_side_by_side_do_not_see_each_other(bucket):
    one, two = place_at(f"s3://{bucket}/index"), place_at(f"s3://{bucket}/index2")
    write(two, "ann/vectors", b"2")
    assert one.names() == []
    assert one.files() == {}
    assert two.names() == ["ann"]


def test_more_objects_than_one_page_of_a_listing(bucket, monkeypatch):
    monkeypatch.setattr("hyperir.index.bucket.PAGE", 3)
    place = place_at(f"s3://{bucket}/many")
    names = [f"commits/{number:012}.json" for number in range(7)]
    for name in names:
        place.publish(name, b"1")
    assert place.files() == dict.fromkeys(names, 1)
    assert [f"commits/{name}" for name in place.names("commits")] == names


def test_a_file_is_downloaded_once(bucket):
    place = place_at(f"s3://{bucket}/my.index")
    content = write(place, "ann/vectors", b"vectors")
    first = place.local("ann/vectors", content)
    assert first.parent == cache.folder()
    first.unlink()
    assert place.local("ann/vectors", content) == first
    place.remove(["ann/vectors"])
    assert place.local("ann/vectors", content).read_bytes() == b"vectors"
    assert [path.name for path in cache.folder().iterdir()] == [content.sha256]


def test_a_damaged_object_is_named_and_not_kept(bucket):
    place = place_at(f"s3://{bucket}/my.index")
    place.publish("ann/vectors", b"damaged")
    with pytest.raises(CorruptError, match=f"ann/vectors in s3://{bucket}/my.index is damaged"):
        place.local("ann/vectors", content_of(b"vectors"))
    assert list(cache.folder().iterdir()) == []


def test_many_downloads_at_once(bucket):
    place = place_at(f"s3://{bucket}/my.index")
    data = bytes(range(256)) * 4000
    content = write(place, "ann/vectors", data)
    place.local("ann/vectors", content).unlink()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(place_at(str(place)).local("ann/vectors", content).read_bytes()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [data] * 8


def test_a_large_file_goes_in_parts(bucket, monkeypatch):
    monkeypatch.setattr("hyperir.index.bucket.PART", 5 << 20)
    monkeypatch.setattr("hyperir.index.bucket.STREAM", 4 << 20)
    place = place_at(f"s3://{bucket}/my.index")
    data = bytes(11 << 20)
    content = write(place, "ann/vectors", data)
    assert place.files() == {"ann/vectors": len(data)}
    assert place._bucket.head("my.index/ann/vectors").tag.endswith('-3"')  # S3's way to say of how many parts
    place.local("ann/vectors", content).unlink()
    assert place.local("ann/vectors", content).stat().st_size == len(data)
    assert place.sha256("ann/vectors") == content.sha256


def test_removing_spares_a_file_that_was_written_again_since_it_was_listed(bucket):
    slow, fast = place_at(f"s3://{bucket}/my.index"), place_at(f"s3://{bucket}/my.index")
    write(slow, "rows.lance/manifest", b"old")
    names = slow.files()
    fast.remove(["rows.lance/manifest"])
    write(fast, "rows.lance/manifest", b"new")
    assert not slow.remove(names)
    assert fast.read("rows.lance/manifest") == b"new"


def test_a_bucket_that_does_not_exist(bucket):
    place = place_at("s3://no-such-bucket/my.index")
    for call in (place.names, place.files, lambda: place.read("a"), lambda: place.publish("a", b"")):
        with pytest.raises(InputError, match="there is no bucket 'no-such-bucket'"):
            call()
    with pytest.raises(InputError, match="there is no bucket"), place.lock():
        pass


def test_no_credentials(bucket, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(InputError, match="no credentials for s3://"):
        place_at(f"s3://{bucket}/my.index").names()


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r'needs the package s3fs\n.*pip install "hyperir\[s3\]"'):
        place_at("s3://bucket/my.index").names()
