// Reader: get, get_many, scan and cursors over the first healthy mirror. A get of what is in memory is answered on the
// calling thread; what may touch a drive goes to a bounded pool of the mirror, and so does every walk
// (docs/adr/0040-iterators-off-the-loop.md). A walk that has given up its turn goes on in turns with others like it, on
// a thread of their own, so that one over what was deleted costs nobody else his answer. A mirror whose read fails is
// given up for the next.
//
// Whoever reads a mirror that fails, or of which a read does not get on for so long as its patience, while another one
// can answer, goes on with that; once it has answered, the first one has failed. The read that is left behind owns what
// it uses. For the last mirror all wait, until its drive is offline.
//
// Threads: any.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/pool.h"
#include "base/task.h"
#include "meta/every_root.h"
#include "meta/rocksdb/mirror_pools.h"
#include "meta/rocksdb/mirror_set.h"
#include "meta/store.h"

namespace andromede::meta {

class Reader {
 public:
  // `mirrors` and `clock` outlive the reader.
  Reader(MirrorSet& mirrors, Metrics& metrics, const Clock& clock, unsigned threads,
         std::chrono::milliseconds patience);

  // A deadline is that of a wait for a drive: kTimeout.
  Task<Result<std::optional<std::string>>> get(Key key, Deadline deadline);
  // `named` is called only while the task waits for it.
  Task<Result<Followed>> get_following(Key key, const NamedKey& named, Deadline deadline);
  Task<Result<std::vector<std::optional<std::string>>>> get_many(std::vector<std::string> keys, Deadline deadline);
  Task<Result<std::vector<Item>>> scan(Scan scan);
  // Of every mirror, whichever thread asks first: see EveryRoot.
  Task<Result<std::vector<CopyAnswer>>> get_everywhere(Key key, Deadline deadline);
  Task<Result<std::vector<Item>>> scan_everywhere(Scan scan);
  std::unique_ptr<Cursor> cursor(std::string begin, std::string end, Patience patience);

  // Before the mirrors are closed: who waits then, waits for what he asked. By the thread that ends the reader.
  void end_watch() { pools_.end_watch(); }
  // No read waits for a drive any more, the last mirror's included: kUnavailable.
  void end_waits() { waits_ended_ = true; }

 private:
  template <typename Question>
  Task<Result<Found>> look_up(Question& question, typename Question::Answer& answer, Deadline deadline);
  [[nodiscard]] bool hopeless(const Mirror& mirror, std::chrono::nanoseconds still) const;

  std::atomic<bool> waits_ended_{false};
  MirrorSet& mirrors_;
  MirrorPools pools_;
};

}  // namespace andromede::meta
