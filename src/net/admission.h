// Internal to net/: which connections a server holds, whose they are, and which one ends when another wants in; and for
// how long a peer that is refused again and again must wait (docs/adr/0030-connections.md).
//
// Thread-safe. Costs nothing per request that a handler admits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/http.h"

namespace andromede::net {

// A connection quiet for less is between two requests of a client at work, and does not give way to another.
inline constexpr std::chrono::seconds kMinQuiet{1};

class Admission;

// One connection's place, from accept to close.
class Seat {
 public:
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat();  // leaves

  // Of the loops that the server has, the one it lives on.
  [[nodiscard]] std::size_t shard() const { return shard_; }
  // Never given twice.
  [[nodiscard]] std::uint64_t id() const { return id_; }
  // Since when it has done nothing that would keep it from giving way; SteadyTime::max(): it is at work.
  void set_quiet_since(SteadyTime since) { quiet_since_.store(since, std::memory_order_relaxed); }
  // It was asked to give way, and has changed its mind: it is at work.
  void stay();

  // A handler knows who sent a request, or lets anybody send it: the connection has cost us no more than it should.
  void admitted() { admitted_ = true; }
  // A request was refused, or what came was none: when the peer may ask again.
  SteadyTime refused(SteadyTime now);
  // When a peer that has just come may begin; not after `now` but for one that was refused too often.
  [[nodiscard]] SteadyTime may_begin(SteadyTime now) const;

 private:
  friend class Admission;
  struct Group;
  Seat(Admission& admission, Group& group, std::uint64_t id, std::size_t shard, SteadyTime now)
      : admission_(admission), group_(group), id_(id), shard_(shard), quiet_since_(now) {}

  Admission& admission_;
  Group& group_;
  const std::uint64_t id_;
  const std::size_t shard_;
  std::atomic<SteadyTime> quiet_since_;
  std::size_t index_ = 0;  // in Admission::seats_
  bool leaving_ = false;
  bool admitted_ = false;
  bool refused_ = false;
};

class Admission {
 public:
  // A connection to be ended.
  struct Victim {
    std::size_t shard;
    std::uint64_t id;
  };
  struct Answer {
    std::unique_ptr<Seat> seat;    // null: not now
    std::optional<Victim> victim;  // who makes room for it
    bool may_wait = false;         // without a seat: there may be one soon
  };

  // `limits` and `clock` outlive it.
  Admission(std::size_t shards, const ServerLimits& limits, const Clock& clock, Gauge gauge);

  // One more from `group`. While there is room, it enters. When its group has its share, or all places are taken, one
  // that is quiet gives way: of its own group, or of those that have no fewer connections than its own, the one that
  // has most, and there the one quiet for longest. So whoever holds little always gets in, whoever holds the rest.
  Answer enter(const std::string& group);
  // The one to end so that its descriptor is free, if any may.
  std::optional<Victim> make_room();
  // How many connections a group has.
  [[nodiscard]] std::size_t of_group(const std::string& group) const;

  // Whether somebody found no free place a moment ago. Any thread, at no cost.
  [[nodiscard]] bool short_of_seats(SteadyTime now) const { return now < short_until_.load(std::memory_order_relaxed); }

  void stop();
  // Blocks until no connection is open; false when `grace` passed first.
  bool wait_empty(std::chrono::milliseconds grace);

  // Called, on any thread, when a connection has left. Set before the first enters.
  std::function<void()> on_leave;

 private:
  friend class Seat;
  void leave(Seat& seat);
  SteadyTime charge(Seat::Group& group, SteadyTime now);
  Seat* find_victim(const Seat::Group* own, SteadyTime now) const;
  Victim send_off(Seat& seat);
  void forget_paid(SteadyTime now);

  const ServerLimits& limits_;
  const Clock& clock_;
  const Gauge gauge_;
  std::atomic<SteadyTime> short_until_{SteadyTime{}};
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::vector<std::size_t> open_;  // by shard
  std::vector<Seat*> seats_;
  std::unordered_map<std::string, Seat::Group> groups_;
  std::size_t sweep_at_groups_;
  std::size_t leaving_ = 0;
  std::uint64_t next_id_ = 0;
  bool stopped_ = false;
};

// Connections of one peer, or its debt for a while after the last of them.
struct Seat::Group {
  std::size_t open = 0;
  std::size_t leaving = 0;
  // When everything that it was refused is paid for, at ServerLimits::refusals_per_s.
  SteadyTime paid_at{};
  [[nodiscard]] std::size_t staying() const { return open - leaving; }
};

}  // namespace andromede::net
