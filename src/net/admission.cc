#include "net/admission.h"

#include <algorithm>

#include "base/check.h"

namespace andromede::net {
namespace {

// Groups without a connection are remembered for their debt; beyond so many, those that have paid are looked for.
constexpr std::size_t kMostIdleGroups = 4096;
// Those who wait for a place ask again at each tick.
constexpr std::chrono::seconds kShortFor{1};

using Duration = std::chrono::steady_clock::duration;

Duration cost_of_refusal(const ServerLimits& limits) {
  return Duration(std::chrono::seconds(1)) / limits.refusals_per_s;
}
Duration tolerated_debt(const ServerLimits& limits) { return cost_of_refusal(limits) * limits.refusals_burst; }

}  // namespace

Seat::~Seat() { admission_.leave(*this); }

void Seat::stay() {
  const std::lock_guard lock(admission_.mutex_);
  if (!std::exchange(leaving_, false)) return;
  --group_.leaving;
  --admission_.leaving_;
}

SteadyTime Seat::refused(SteadyTime now) {
  const std::lock_guard lock(admission_.mutex_);
  refused_ = true;
  return admission_.charge(group_, now);
}

SteadyTime Seat::may_begin(SteadyTime now) const {
  const std::lock_guard lock(admission_.mutex_);
  return std::max(group_.paid_at - tolerated_debt(admission_.limits_), now);
}

Admission::Admission(std::size_t shards, const ServerLimits& limits, const Clock& clock, Gauge gauge)
    : limits_(limits),
      clock_(clock),
      gauge_(gauge),
      open_(shards),
      sweep_at_groups_(limits.connections + kMostIdleGroups) {}

// Each refusal takes its share of a second; who is ahead by more than the burst waits for the rest of it.
SteadyTime Admission::charge(Seat::Group& group, SteadyTime now) {
  const Duration tolerated = tolerated_debt(limits_);
  // A debt beyond the longest pause would only outlast whoever made it.
  group.paid_at =
      std::min(std::max(group.paid_at, now) + cost_of_refusal(limits_), now + tolerated + limits_.refusal_pause);
  return std::max(group.paid_at - tolerated, now);
}

Admission::Answer Admission::enter(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return {};
  const SteadyTime now = clock_.steady();
  if (groups_.size() >= sweep_at_groups_) forget_paid(now);
  Seat::Group& group = groups_[name];
  Answer answer;
  const bool has_share = group.staying() >= limits_.connections_per_peer;
  if (has_share || seats_.size() - leaving_ >= limits_.connections) {
    short_until_.store(now + kShortFor, std::memory_order_relaxed);
    answer.may_wait = !has_share;
    const std::size_t most = most_leaving(limits_.connections);
    const bool many_leave = leaving_ >= most || seats_.size() >= limits_.connections + most;
    Seat* const victim = many_leave ? nullptr : find_victim(&group, now);
    if (victim == nullptr) return answer;
    answer.victim = send_off(*victim);
  }
  const auto fewest = std::min_element(open_.begin(), open_.end());
  ++*fewest;
  ++group.open;
  answer.seat =
      std::unique_ptr<Seat>(new Seat(*this, group, ++next_id_, static_cast<std::size_t>(fewest - open_.begin()), now));
  answer.seat->index_ = seats_.size();
  seats_.push_back(answer.seat.get());
  gauge_.set(static_cast<double>(seats_.size()));
  return answer;
}

// `own`: the group that wants in; null: any may give way.
Seat* Admission::find_victim(const Seat::Group* own, SteadyTime now) const {
  const bool own_only = own != nullptr && own->staying() >= limits_.connections_per_peer;
  const std::size_t least = own == nullptr ? 0 : own->staying();
  Seat* best = nullptr;
  SteadyTime best_since{};
  for (Seat* const seat : seats_) {
    const std::size_t held = seat->group_.staying();
    if (seat->leaving_ || held < least || (own_only && &seat->group_ != own)) continue;
    const SteadyTime since = seat->quiet_since_.load(std::memory_order_relaxed);
    if (since > now - kMinQuiet) continue;
    const std::size_t most = best == nullptr ? 0 : best->group_.staying();
    if (best != nullptr && (held < most || (held == most && since >= best_since))) continue;
    best = seat;
    best_since = since;
  }
  return best;
}

Admission::Victim Admission::send_off(Seat& seat) {
  seat.leaving_ = true;
  ++seat.group_.leaving;
  ++leaving_;
  return {seat.shard_, seat.id_};
}

std::optional<Admission::Victim> Admission::make_room() {
  const std::lock_guard lock(mutex_);
  short_until_.store(clock_.steady() + kShortFor, std::memory_order_relaxed);
  Seat* const victim = leaving_ < most_leaving(limits_.connections) ? find_victim(nullptr, clock_.steady()) : nullptr;
  if (victim == nullptr) return std::nullopt;
  return send_off(*victim);
}

std::size_t Admission::of_group(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = groups_.find(name);
  return found == groups_.end() ? 0 : found->second.staying();
}

void Admission::leave(Seat& seat) {
  const std::lock_guard lock(mutex_);
  // Who comes and goes without a word has had its handshake.
  if (!seat.admitted_ && !seat.refused_) charge(seat.group_, clock_.steady());
  if (seat.leaving_) {
    --seat.group_.leaving;
    --leaving_;
  }
  --seat.group_.open;
  --open_[seat.shard_];
  seats_[seat.index_] = seats_.back();
  seats_[seat.index_]->index_ = seat.index_;
  seats_.pop_back();
  gauge_.set(static_cast<double>(seats_.size()));
  if (seats_.empty()) empty_.notify_all();
  if (on_leave) on_leave();
}

void Admission::forget_paid(SteadyTime now) {
  std::erase_if(groups_, [now](const auto& group) { return group.second.open == 0 && group.second.paid_at <= now; });
  // Twice what had to stay, so that sweeping costs each newcomer a constant.
  sweep_at_groups_ = std::max(limits_.connections + kMostIdleGroups, 2 * groups_.size());
}

void Admission::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
}

bool Admission::wait_empty(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, grace, [this] { return seats_.empty(); });
}

}  // namespace andromede::net
