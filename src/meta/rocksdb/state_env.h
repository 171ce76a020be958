// Through what RocksDB reaches a state's files: the system's, but for its lock, and with its steps told.
//
// What keeps other processes off a drive is the lock on its root (io/real_disk.cc), which a process can give up while a
// drive keeps one of its threads. RocksDB's own lock goes with a state that is closed alone: one that such a thread
// uses would lock the next process out of a sound drive. So it only keeps a state from being opened twice in this
// process.
#pragma once

#include <rocksdb/env.h>

#include <functional>
#include <memory>

namespace andromede::meta {

// `on_step`, if any, is told from any thread of every file that was opened or made: of an opening that gets on.
// Outlives every database that uses it. Who opens a state that is open is answered Busy.
std::unique_ptr<rocksdb::Env> make_state_env(std::function<void()> on_step);

}  // namespace andromede::meta
