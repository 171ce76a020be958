"""What a drive does that lies about metadata: values of its mirror's RocksDB are changed past the program, by RocksDB's own
C interface (docs/formats/commit-log.md, "The state"). The program must not run."""

import contextlib
import ctypes

FAMILIES = (b"default", b"records", b"inline", b"journal", b"counters")


def library():
    lib = ctypes.CDLL("librocksdb.so.7.8")
    for name in ("options_create", "writeoptions_create", "readoptions_create", "flushoptions_create",
                 "open_column_families", "create_iterator_cf", "iter_key", "iter_value"):
        getattr(lib, "rocksdb_" + name).restype = ctypes.c_void_p
    lib.rocksdb_iter_valid.restype = ctypes.c_ubyte
    return lib


class Mirror:
    """An open state; closed by `opened`."""

    def __init__(self, lib, db, handles):
        self.lib, self.db, self.handles = lib, ctypes.c_void_p(db), handles

    def family(self, name):
        return ctypes.c_void_p(self.handles[FAMILIES.index(name.encode())])

    def records(self, family):
        """All of a family, stored values with their tags."""
        lib, found = self.lib, {}
        iterator = ctypes.c_void_p(lib.rocksdb_create_iterator_cf(self.db, ctypes.c_void_p(lib.rocksdb_readoptions_create()),
                                                                  self.family(family)))
        lib.rocksdb_iter_seek_to_first(iterator)
        while lib.rocksdb_iter_valid(iterator):
            size = ctypes.c_size_t()
            key = ctypes.string_at(lib.rocksdb_iter_key(iterator, ctypes.byref(size)), size.value)
            value = ctypes.string_at(lib.rocksdb_iter_value(iterator, ctypes.byref(size)), size.value)
            found[key] = value
            lib.rocksdb_iter_next(iterator)
        lib.rocksdb_iter_destroy(iterator)
        return found

    def put(self, family, key, value):
        options, error = ctypes.c_void_p(self.lib.rocksdb_writeoptions_create()), ctypes.c_char_p()
        self.lib.rocksdb_writeoptions_disable_WAL(options, 1)
        self.lib.rocksdb_put_cf(self.db, options, self.family(family), key, ctypes.c_size_t(len(key)), value,
                                ctypes.c_size_t(len(value)), ctypes.byref(error))
        check(error)

    def flush(self):
        options, error = ctypes.c_void_p(self.lib.rocksdb_flushoptions_create()), ctypes.c_char_p()
        for name in ("records", "inline", "journal"):
            self.lib.rocksdb_flush_cf(self.db, options, self.family(name), ctypes.byref(error))
            check(error)


def check(error):
    if error.value:
        raise RuntimeError(error.value.decode())


@contextlib.contextmanager
def opened(drive):
    """The state of the mirror on a drive's folder, to be changed; flushed at the end."""
    lib = library()
    count = len(FAMILIES)
    names = (ctypes.c_char_p * count)(*FAMILIES)
    options = ctypes.c_void_p(lib.rocksdb_options_create())
    each = (ctypes.c_void_p * count)(*[options.value] * count)
    handles = (ctypes.c_void_p * count)()
    error = ctypes.c_char_p()
    db = lib.rocksdb_open_column_families(options, str(drive / "meta/state").encode(), count, names, each, handles,
                                          ctypes.byref(error))
    check(error)
    mirror = Mirror(lib, db, handles)
    yield mirror
    mirror.flush()
    for handle in handles:
        lib.rocksdb_column_family_handle_destroy(ctypes.c_void_p(handle))
    lib.rocksdb_close(mirror.db)
